package gates

import (
	"syscallstory/syscalls"
	"syscallstory/verify"
)

// judgedOnly is how many calls are judged for one that is performed, to learn which mutants a call can tell from the model.
const judgedOnly = 8

// Mutate makes the worker ask, of every call, which mutants of its route it would find.
func (w *worker) Mutate() { w.mutate = true }

// mutants enters what a call finds, or would find if it were performed; news says that nobody has found one of them.
func (w *worker) mutants(m *bound, c *judged, performed bool, r *verify.Report) (news bool) {
	if c.end.errno == 0 && !c.end.killed || c.end.unsure {
		return false
	}
	for _, x := range m.Mutants(c.call) {
		if end := predicted(x.End); !end.unsure && end != c.end {
			news = news || !r.Mutants[x.Name]
			r.Mutant(x.Name, performed)
		}
	}
	return news
}

// telling returns calls that find mutants which none has found so far: of all that are written, they are worth performing. So,
// unlike those of other runs, the rounds of one with mutants depend on the rounds before.
func (w *worker) telling(g *gen, task int, m *bound, r *verify.Report) ([]judged, error) {
	var out []judged
	for range judgedOnly * callsPerTask {
		call, err := syscalls.Parse(syscalls.X8664, g.call(&g.s.Tasks[task]))
		if err != nil {
			return nil, err
		}
		c := judged{call: call, end: predicted(m.Verdict(call))}
		c.step, c.by = m.Decided()
		if w.mutants(m, &c, false, r) {
			out = append(out, c)
		}
	}
	return out, nil
}
