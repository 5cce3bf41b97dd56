package story

// Risk labels what a fix opens.
type Risk string

const (
	Safe      Risk = "safe"      // opens nothing beyond the call's own object
	Widens    Risk = "widens"    // lets other calls through as well
	Dangerous Risk = "dangerous" // takes a protection away
)

// Edit is one change of the input, as an input offers it: it knows where to write it, not what it will do.
type Edit struct {
	ID      string // unique within one input, stable
	Kind    string // yaml, profile, image, volume, host, node, process, call: what is changed
	File    string
	Line    int
	Path    string // the field, the sysctl or the path of a file
	Patch   string // the change in the words of its kind: YAML, a shell command, a call
	Text    string // the change as a sentence: "drop readOnly on this mount"
	Exposes string
	Risk    Risk
	Half    bool // alone it changes nothing that the check sees: another edit of the input goes with it
	LastOut bool // privileged, Unconfined, ALL, uid 0: only where nothing else works
	Do      any  // how to make it; for the input that offers it alone
}

// Fix is an edit, or several that only work together, after which the call was judged again.
type Fix struct {
	Kind     string   `json:"kind"`
	At       FixPlace `json:"at"`
	Patch    string   `json:"patch"`
	Exposes  string   `json:"exposes"`
	Verified bool     `json:"verified"`
	Text     string   `json:"text"`
	Risk     Risk     `json:"risk"`
	By       string   `json:"by,omitempty"` // who makes it where it is not the author of the input
	Allows   int      `json:"allows"`       // how many calls of the probe corpus are allowed that were not
	With     []Part   `json:"with,omitempty"`
	Through  int      `json:"through,omitempty"` // of how many calls, one after another, all pass with it
}

// Part is a further edit that a Fix needs: without it the call is refused again.
type Part struct {
	Kind  string   `json:"kind"`
	At    FixPlace `json:"at"`
	Patch string   `json:"patch"`
	Text  string   `json:"text"`
	By    string   `json:"by,omitempty"`
}

// FixPlace is where a fix is made.
type FixPlace struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Path string `json:"path,omitempty"`
}
