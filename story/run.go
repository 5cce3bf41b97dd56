package story

// Run is a call that was predicted and performed: what story run prints.
type Run struct {
	Predicted *Story `json:"predicted"`
	Performed *Story `json:"performed"` // without steps; null where the call was not made
	Agree     *bool  `json:"agree"`     // null where the prediction is undetermined or the call was not made
	Reason    string `json:"reason,omitempty"`
}

// Compare says whether prediction and kernel agree: on the verdict, the errno, and, where the effects of this call alone are
// known, on what was copied up, made or removed.
func (r *Run) Compare(alone bool) {
	p, k := r.Predicted, r.Performed
	if p == nil || k == nil || p.Verdict == Undetermined.String() || len(p.Possible) > 0 {
		return
	}
	same := p.Verdict == k.Verdict && (p.Errno == nil) == (k.Errno == nil) && (p.Errno == nil || *p.Errno == *k.Errno)
	if same && alone && p.Verdict == Allowed.String() {
		same = covers(k.Effects, p.Effects) && covers(p.Effects, k.Effects)
	}
	r.Agree = &same
}

// covers reports whether every effect of b that shows in the files is among those of a.
func covers(a, b []Effect) bool {
next:
	for _, e := range b {
		if e.Kind != "copied-up" && e.Kind != "created" && e.Kind != "removed" {
			continue
		}
		for _, f := range a {
			if e.Kind == f.Kind && e.Path == f.Path && (e.Bytes == nil || f.Bytes == nil || *e.Bytes == *f.Bytes) {
				continue next
			}
		}
		return false
	}
	return true
}
