// Package story holds what the tool tells: the Story of one syscall, made of Steps, each with the Code of the check that
// was made, its outcome, and the facts that it compared with where they come from. The three ways to know, prediction,
// performance and observation, all end in this type, and every view (text, HTML, SARIF) is made from it alone.
package story

// SchemaVersion is the version of the JSON that a Story prints as; schema/story.schema.json describes it.
const SchemaVersion = "1"

// Story is the account of one call, in words: what the JSON output prints.
type Story struct {
	SchemaVersion string       `json:"schemaVersion"`
	Call          Call         `json:"call"`
	Subject       Subject      `json:"subject"`
	Kernel        Kernel       `json:"kernel"`
	Source        string       `json:"source"` // predicted, performed or observed
	Verdict       string       `json:"verdict"`
	Errno         *string      `json:"errno"`    // a name; null where the call succeeds or where branches differ
	Possible      []string     `json:"possible"` // where facts are missing: every ending, "0" being success
	Assumptions   []Assumption `json:"assumptions"`
	DecidedBy     *string      `json:"decidedBy"` // a gate
	Steps         []Entry      `json:"steps"`
	Effects       []Effect     `json:"effects"`
	Fixes         []Fix        `json:"fixes"`
	Next          []Entry      `json:"next"` // what would refuse next if the deciding check did not
	// Missing lists the facts that an undetermined story lacks, each with what would settle it.
	Missing []Assumption `json:"missing"`
	// Findings are remarks on the input that do not change the verdict: fields without effect, keys that an API server refuses.
	Findings []Finding `json:"findings"`

	// Got compares the story with what the call is known to have answered.
	Got *Got `json:"got,omitempty"`

	// Sources are the lines of the input that Places point to, for views that quote them.
	Sources []Source `json:"sources"`
}

// Call is a syscall as JSON prints it.
type Call struct {
	Text string   `json:"text"`
	Name string   `json:"name"`
	ABI  string   `json:"abi"`
	Nr   *uint32  `json:"nr"`
	Args []string `json:"args"`
}

// Subject is the task that makes the call.
type Subject struct {
	Kind      string `json:"kind"` // Pod, Deployment, …, process
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Container string `json:"container,omitempty"`
	File      string `json:"file,omitempty"`
}

// Kernel is the kernel that the story is about; Release is empty where it is not known.
type Kernel struct {
	Release string `json:"release"`
	Arch    string `json:"arch"`
}

// Place is where a fact comes from, in words: a position in a file, a flag, a default.
type Place struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
	End  int    `json:"end,omitempty"` // column after the last one, on the same line
	Path string `json:"path,omitempty"`
	Text string `json:"text,omitempty"` // for facts that have no file: the flag, or who decides so
}

// NamedFact is one of the facts that a check compared.
type NamedFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	At    *Place `json:"at"`
}

// Entry is a Step in words.
type Entry struct {
	Seq      int         `json:"seq"`
	Gate     string      `json:"gate"`
	LSM      string      `json:"lsm,omitempty"`
	Hook     string      `json:"hook,omitempty"`
	Outcome  string      `json:"outcome"`
	Errno    *string     `json:"errno"`
	Code     string      `json:"code"`
	Op       string      `json:"op"`
	Object   string      `json:"object"`
	Cred     string      `json:"cred"`
	Facts    []NamedFact `json:"facts"`
	Function string      `json:"function"`
	Text     string      `json:"text"`
	Short    string      `json:"short"`
	Note     string      `json:"note,omitempty"`    // why a refusal may surprise
	Settles  []string    `json:"settles,omitempty"` // what would tell the facts that are missing
	Decides  bool        `json:"decides,omitempty"`
}

// Assumption is a fact that nobody gave: what was taken instead or, in Story.Missing, what is not known and what would
// settle it.
type Assumption struct {
	Text    string `json:"text"`
	Settles string `json:"settles,omitempty"`
	At      *Place `json:"at"`
}

// Effect is what the call changes when it succeeds.
type Effect struct {
	Kind  string `json:"kind"` // created, removed, renamed, truncated, copied-up, opened, mode, owner, times, namespace, id-map, name, socket, executed, credentials, task, ipc
	Path  string `json:"path"` // empty for what is no file
	Bytes *int64 `json:"bytes,omitempty"`
	// Name is what of the credentials or of the task changes, as /proc/PID/status has it: Uid, CapEff, NoNewPrivs.
	Name   string `json:"name,omitempty"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Finding is a remark on the input, with its place.
type Finding struct {
	Severity string `json:"severity"` // error, warning, note
	Text     string `json:"text"`
	At       *Place `json:"at"`
}

// Got is what a call is known to have answered, and where that could come from if the story does not say so.
type Got struct {
	Errno      string      `json:"errno"`     // "0" for success
	Explained  bool        `json:"explained"` // the story ends with it
	Possible   bool        `json:"possible"`  // it is one of the endings that are possible
	Candidates []Candidate `json:"candidates"`
}

// Candidate is a check that can answer so.
type Candidate struct {
	Gate    string   `json:"gate"`
	LSM     string   `json:"lsm,omitempty"`
	Code    string   `json:"code"`
	Text    string   `json:"text"`
	Why     string   `json:"why"` // missing: a fact is not known; next: it would refuse next; fact: it passed by a fact that may be wrong
	Settles []string `json:"settles"`
	At      *Place   `json:"at"`
}

// Source is an excerpt of an input file: consecutive lines, the first of which has number First.
type Source struct {
	File  string   `json:"file"`
	First int      `json:"first"`
	Lines []string `json:"lines"`
}
