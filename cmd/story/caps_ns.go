package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/explain"
	"syscallstory/kernel"
)

func (p *program) capsNSCommand() *cobra.Command {
	var f capsFlags
	c := &cobra.Command{Use: "ns -f FILE | --pid PID | --world FILE [flags]", Short: "the tree of user namespaces, and the subject's capabilities in each", Args: cobra.NoArgs,
		Long: `Print the user namespaces that the subject has to do with as a tree: level, owner, id maps, which of the subject's other namespaces
belong to each, and which capabilities the subject has there. Ids outside are those of the initial user namespace.

Exit status: 0; 2 usage or bad input.`,
		Example: `  story caps ns --pid 4711
  story caps ns -f pod.yaml -o json`,
		RunE: func(*cobra.Command, []string) error {
			j, err := f.judge(p)
			if err != nil {
				return err
			}
			all := j.UserNamespaces()
			if f.output == "json" {
				return encodeAll(p.out, []*explain.UserNamespaces{all})
			}
			for i := range all.Namespaces {
				writeUserNS(p.out, &all.Namespaces[i])
			}
			return nil
		}}
	f.add(c)
	return c
}

// writeUserNS prints a namespace, indented by its level.
func writeUserNS(out io.Writer, n *explain.UserNamespace) {
	in := strings.Repeat("  ", n.Level)
	mark := ""
	if n.Subject {
		mark = "   ← the subject's"
	}
	fmt.Fprintf(out, "%s%s%s\n", in, n.Name, mark)
	fmt.Fprintf(out, "%s  level %d", in, n.Level)
	if n.Owner != nil {
		fmt.Fprintf(out, ", made by uid %d", *n.Owner)
	}
	if n.Setgroups == "deny" {
		fmt.Fprint(out, ", setgroups denied")
	}
	if len(n.Owns) > 0 {
		fmt.Fprintf(out, ", owns the subject's %s", strings.Join(n.Owns, ", "))
	}
	fmt.Fprintf(out, "\n%s  uids %s\n%s  gids %s\n%s  the subject has %s\n", in, extentsText(n.UIDMap), in, extentsText(n.GIDMap), in, heldText(n))
}

func extentsText(m []explain.Extent) string {
	if len(m) == 0 {
		return "none mapped"
	}
	var all []string
	for _, e := range m {
		if e.Inside == e.Outside && e.Inside == 0 && e.Count == ^uint32(0) {
			return "every id is itself"
		}
		all = append(all, fmt.Sprintf("%d-%d are %d-%d", e.Inside, uint64(e.Inside)+uint64(e.Count)-1, e.Outside, uint64(e.Outside)+uint64(e.Count)-1))
	}
	return strings.Join(all, ", ")
}

func heldText(n *explain.UserNamespace) string {
	text := "no capability here"
	switch len(n.Capabilities) {
	case 0:
	case int(kernel.NumCaps):
		text = "all capabilities here"
	default:
		text = strings.Join(n.Capabilities, ",") + " here"
	}
	if len(n.Unknown) > 0 {
		text += fmt.Sprintf("; of %d it is not known", len(n.Unknown))
	}
	return text
}
