package verify

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Report is what a run has counted. Fields that have no meaning in an area are zero.
type Report struct {
	SchemaVersion string           `json:"schemaVersion"`
	Area          string           `json:"area"`
	Seed          uint64           `json:"seed"`
	Count         uint64           `json:"count"`
	Denials       uint64           `json:"denials"`
	Undetermined  uint64           `json:"undetermined"`
	Disagreements uint64           `json:"disagreements"`
	GateChecked   uint64           `json:"gateChecked"`
	GateWrong     uint64           `json:"gateWrong"`
	Fixes         uint64           `json:"fixes"`
	FixesFailed   uint64           `json:"fixesFailed"`
	ByCall        map[string]Tally `json:"byCall"`
	ByErrno       map[string]Tally `json:"byErrno"`
	ByGate        map[string]Tally `json:"byGate"`
	ByOracle      map[string]Tally `json:"byOracle"`
	ByAction      map[string]Tally `json:"byAction"`
	Mutants       map[string]bool  `json:"mutants,omitempty"` // changes of the model that a call can tell from it; true: a performed one has
	Skipped       []string         `json:"skipped"`           // oracles that could not be asked, with the reason
	Interrupted   bool             `json:"interrupted"`
	NextRound     uint64           `json:"nextRound"`   // where another run of the same seed goes on
	NotReached    []string         `json:"notReached"`  // calls that no case has made
	OnlyRefused   []string         `json:"onlyRefused"` // calls that were made only where they are refused, each with the reason
	Found         []Disagreement   `json:"found"`
}

// Tally counts comparisons, and those in which the call was refused.
type Tally struct {
	Total  uint64 `json:"total"`
	Denied uint64 `json:"denied"`
}

// Disagreement is a case for which model and oracle differ, made small.
type Disagreement struct {
	Round  uint64 `json:"round"`
	Oracle string `json:"oracle"`
	Model  string `json:"model"`  // what the model says
	Answer string `json:"answer"` // what the oracle says
	Repeat string `json:"repeat"` // Go source, or a profile and a call, that shows it
}

// NewReport returns an empty report.
func NewReport(area string, seed uint64) *Report {
	return &Report{SchemaVersion: "1", Area: area, Seed: seed, ByCall: map[string]Tally{}, ByErrno: map[string]Tally{}, ByGate: map[string]Tally{}, ByOracle: map[string]Tally{}, ByAction: map[string]Tally{},
		Skipped: []string{}, NotReached: []string{}, OnlyRefused: []string{}, Found: []Disagreement{}}
}

// reach says which of an area's calls were made; routes are those, with the reason for each that is made only where it is refused.
func (r *Report) reach(routes map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(routes)) {
		if r.ByCall[name].Total == 0 {
			r.NotReached = append(r.NotReached, name)
		}
		if why := routes[name]; why != "" {
			r.OnlyRefused = append(r.OnlyRefused, name+": "+why)
		}
	}
}

// Tick counts one comparison under a key.
func Tick(m map[string]Tally, key string, denied bool) {
	t := m[key]
	t.Total++
	if denied {
		t.Denied++
	}
	m[key] = t
}

// Disagree records a disagreement.
func (r *Report) Disagree(d Disagreement) {
	r.Disagreements++
	r.Found = append(r.Found, d)
}

// Mutant enters a change of the model that a case can tell from it; found says that the case was performed, and that the model as
// it is was right.
func (r *Report) Mutant(name string, found bool) {
	if r.Mutants == nil {
		r.Mutants = map[string]bool{}
	}
	r.Mutants[name] = r.Mutants[name] || found
}

func (r *Report) add(o *Report) {
	r.Count += o.Count
	r.Denials += o.Denials
	r.Undetermined += o.Undetermined
	r.Disagreements += o.Disagreements
	r.GateChecked += o.GateChecked
	r.GateWrong += o.GateWrong
	r.Fixes += o.Fixes
	r.FixesFailed += o.FixesFailed
	r.Found = append(r.Found, o.Found...)
	for m, found := range o.Mutants {
		r.Mutant(m, found)
	}
	for _, m := range []struct{ to, from map[string]Tally }{{r.ByCall, o.ByCall}, {r.ByErrno, o.ByErrno}, {r.ByGate, o.ByGate}, {r.ByOracle, o.ByOracle}, {r.ByAction, o.ByAction}} {
		for k, t := range m.from {
			m.to[k] = Tally{m.to[k].Total + t.Total, m.to[k].Denied + t.Denied}
		}
	}
}

// mutants says how many changes of the model the cases have found, and which not.
func (r *Report) mutants(b *strings.Builder) {
	if len(r.Mutants) == 0 {
		return
	}
	var missed []string
	for m, found := range r.Mutants {
		if !found {
			missed = append(missed, m)
		}
	}
	slices.Sort(missed)
	fmt.Fprintf(b, "  %d mutants that a call tells from the model, %d of them found (%.1f %%)\n", len(r.Mutants), len(r.Mutants)-len(missed), 100-100*float64(len(missed))/float64(len(r.Mutants)))
	for _, m := range missed {
		fmt.Fprintf(b, "    not found: %s\n", m)
	}
}

// Text prints the report as tables.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: seed %d, %d evaluations, %d denials, %d undetermined, %d disagreements\n", r.Area, r.Seed, r.Count, r.Denials, r.Undetermined, r.Disagreements)
	if r.GateChecked+r.Fixes > 0 {
		fmt.Fprintf(&b, "  %d refusals performed again with the deciding fact relaxed, %d of them not as predicted; %d fixes performed, %d of them in vain\n", r.GateChecked, r.GateWrong, r.Fixes, r.FixesFailed)
	}
	for _, t := range []struct {
		name string
		m    map[string]Tally
	}{{"oracle", r.ByOracle}, {"call", r.ByCall}, {"action", r.ByAction}, {"errno", r.ByErrno}, {"gate", r.ByGate}} {
		if len(t.m) == 0 {
			continue
		}
		fmt.Fprintf(&b, "  %-34s %10s %10s\n", t.name, "total", "denied")
		keys := slices.Collect(maps.Keys(t.m))
		slices.SortFunc(keys, func(x, y string) int {
			if t.m[x].Total != t.m[y].Total {
				return int(int64(t.m[y].Total) - int64(t.m[x].Total))
			}
			return strings.Compare(x, y)
		})
		const most = 16
		var rest Tally
		for i, k := range keys {
			if i >= most && len(keys) > most+1 {
				rest.Total, rest.Denied = rest.Total+t.m[k].Total, rest.Denied+t.m[k].Denied
				continue
			}
			fmt.Fprintf(&b, "    %-32s %10d %10d\n", k, t.m[k].Total, t.m[k].Denied)
		}
		if rest.Total > 0 {
			fmt.Fprintf(&b, "    %-32s %10d %10d\n", fmt.Sprintf("%d others", len(keys)-most), rest.Total, rest.Denied)
		}
	}
	if len(r.NotReached) > 0 {
		fmt.Fprintf(&b, "  %d routes not reached: %s\n", len(r.NotReached), strings.Join(r.NotReached, " "))
	}
	r.mutants(&b)
	for _, s := range r.OnlyRefused {
		fmt.Fprintf(&b, "  made only where it is refused: %s\n", s)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "  skipped: %s\n", s)
	}
	if r.Interrupted {
		fmt.Fprintf(&b, "  interrupted: the figures are those of the rounds that were made; --seed %d --first %d goes on\n", r.Seed, r.NextRound)
	}
	for _, d := range r.Found {
		fmt.Fprintf(&b, "\nDISAGREE in round %d with %s: the model says %s, it answers %s\n%s\n", d.Round, d.Oracle, d.Model, d.Answer, strings.TrimRight(d.Repeat, "\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
