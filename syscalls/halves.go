package syscalls

import (
	"regexp"
	"slices"
	"strings"
)

// Halves joins the halves of calls that strace -f prints on two lines, because another task's line came between them.
type Halves struct {
	open []half
	size int    // bytes of them
	torn string // a line that strace broke off to tell of a new process
}

type half struct{ task, text string }

var (
	attached = regexp.MustCompile(`strace: Process \d+ attached$`)
	resumed  = regexp.MustCompile(`^(.*?)<\.\.\. (\w+) resumed>(.*)$`)
	ofTask   = regexp.MustCompile(`^(?:\[pid +(\d+)\] |(\d+) )?`)
)

// maxHalves bounds the bytes of unfinished calls that are remembered. What is beyond is handed out as it is: half a call.
const maxHalves = 16 << 20

// Join takes the next line and returns the line of a whole call, or "" where none has come to its end.
func (h *Halves) Join(line string) string {
	if at := attached.FindStringIndex(line); at != nil && len(h.torn) < MaxLen {
		h.torn += strings.TrimRight(line[:at[0]], " ")
		return ""
	}
	if h.torn != "" {
		line, h.torn = h.torn+" "+strings.TrimSpace(line), ""
	}
	const mark = "<unfinished ...>"
	if text, rest, ok := strings.Cut(line, mark); ok && (rest == "" || rest[0] == ')') {
		text = strings.TrimRight(text, " ,")
		if rest == "" {
			if h.size += len(text); h.size > maxHalves {
				h.size -= len(text)
				return line
			}
			h.open = append(h.open, half{taskOf(line), text})
			return ""
		}
		line = text + rest // the task ended in the call: ") = ?"
	}
	m := resumed.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	i := slices.IndexFunc(h.open, func(x half) bool { return x.task == taskOf(line) && x.of(m[2]) })
	if i < 0 { // strace leaves the task out while there is only one
		i = slices.IndexFunc(h.open, func(x half) bool { return x.of(m[2]) })
	}
	if i < 0 {
		return m[1] + m[2] + "(" + strings.TrimLeft(m[3], ", ")
	}
	text, rest := h.open[i].text, strings.TrimLeft(m[3], ", ")
	h.open, h.size = slices.Delete(h.open, i, i+1), h.size-len(text)
	switch {
	case strings.HasPrefix(rest, "=>"): // what the kernel has written to the argument before
		text += " "
	case rest != "" && rest[0] != ')' && !strings.HasSuffix(text, "("):
		text += ", "
	}
	return text + rest
}

// of reports whether the half is one of a call.
func (x half) of(name string) bool { return strings.Contains(x.text, name+"(") }

func taskOf(line string) string {
	m := ofTask.FindStringSubmatch(line)
	return m[1] + m[2]
}

// Rest returns the calls that never came to their end, closed as far as they were printed.
func (h *Halves) Rest() []string {
	var out []string
	for _, x := range h.open {
		out = append(out, x.text+")")
	}
	return out
}
