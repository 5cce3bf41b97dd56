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
	Skipped       []string         `json:"skipped"` // oracles that could not be asked, with the reason
	Interrupted   bool             `json:"interrupted"`
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
		Skipped: []string{}, Found: []Disagreement{}}
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
	for _, m := range []struct{ to, from map[string]Tally }{{r.ByCall, o.ByCall}, {r.ByErrno, o.ByErrno}, {r.ByGate, o.ByGate}, {r.ByOracle, o.ByOracle}, {r.ByAction, o.ByAction}} {
		for k, t := range m.from {
			m.to[k] = Tally{m.to[k].Total + t.Total, m.to[k].Denied + t.Denied}
		}
	}
}

// Text prints the report as tables.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: seed %d, %d evaluations, %d denials, %d undetermined, %d disagreements\n", r.Area, r.Seed, r.Count, r.Denials, r.Undetermined, r.Disagreements)
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
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "  skipped: %s\n", s)
	}
	if r.Interrupted {
		b.WriteString("  interrupted: the figures are those of the rounds that were made\n")
	}
	for _, d := range r.Found {
		fmt.Fprintf(&b, "\nDISAGREE in round %d with %s: the model says %s, it answers %s\n%s\n", d.Round, d.Oracle, d.Model, d.Answer, strings.TrimRight(d.Repeat, "\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
