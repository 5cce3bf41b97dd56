package explain

import (
	"fmt"
	"strings"

	"syscallstory/story"
	"syscallstory/world"
)

// unreached tells of a mount of the host that is not where the call has looked, since it was made later and did not propagate: the
// commonest reason why a file is there on the host and missing in the container.
func (j *Judge) unreached(steps []story.Step) []story.Finding {
	if len(j.w.Unreached) == 0 {
		return nil
	}
	for i := range steps {
		u := j.w.UnreachedAt(world.PathOf(steps[i].Obj))
		if u == nil {
			continue
		}
		what := strings.TrimSpace(u.Type + " " + u.Source)
		text := fmt.Sprintf("the host has %s mounted at %s, and the container sees the directory below it at %s: %s", what, u.Point, u.Place, u.Why)
		if u.Fix != "" {
			text += "; what lets it in: " + u.Fix
		}
		return []story.Finding{{Severity: "warning", Text: text, At: j.w.Place(u.At)}}
	}
	return nil
}
