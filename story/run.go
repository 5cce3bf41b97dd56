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
		same = shows(p.Effects, k.Effects) && shows(k.Effects, p.Effects)
	}
	r.Agree = &same
}

// shows reports whether what one list of effects tells of the files is in the other too.
func shows(a, b []Effect) bool {
	for _, e := range a {
		switch e.Kind {
		case "created", "removed":
			if !has(b, a, e, e.Kind) {
				return false
			}
		case "copied-up":
			// What was copied and then removed, or replaced under another name, shows as that.
			if !has(b, a, e, "copied-up") && !has(a, b, e, "removed") && !has(b, a, e, "removed") && !renames(a) && !renames(b) {
				return false
			}
		}
	}
	return true
}

// has finds an effect on the same path; bytes count unless the file was truncated afterwards.
func has(list, other []Effect, e Effect, kind string) bool {
	for _, f := range list {
		if f.Kind == kind && f.Path == e.Path && (kind != "copied-up" || e.Bytes == nil || f.Bytes == nil || *e.Bytes == *f.Bytes || truncates(list, e.Path) || truncates(other, e.Path)) {
			return true
		}
	}
	return false
}

func truncates(list []Effect, path string) bool {
	for _, f := range list {
		if f.Kind == "truncated" && f.Path == path {
			return true
		}
	}
	return false
}

// renames reports whether a name was removed: then a copy may stand elsewhere.
func renames(list []Effect) bool {
	for _, f := range list {
		if f.Kind == "removed" || f.Kind == "renamed" {
			return true
		}
	}
	return false
}
