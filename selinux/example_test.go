package selinux_test

import (
	"fmt"
	"os"

	"syscallstory/selinux"
)

// Another container's file: the categories decide, and no policy is needed to see that.
func ExampleLevel_Dominates() {
	pod := selinux.MustParseContext("system_u:system_r:container_t:s0:c338,c794")
	file := selinux.MustParseContext("system_u:object_r:container_file_t:s0:c1,c338")
	fmt.Println(pod.Range.High.Dominates(file.Range.High))
	fmt.Println("missing:", file.Range.High.Categories().Without(pod.Range.High.Categories()))
	// Output:
	// false
	// missing: c1
}

func ExamplePolicy_Explain() {
	data, err := os.ReadFile("/sys/fs/selinux/policy")
	if err != nil {
		return
	}
	p, err := selinux.Parse(data)
	if err != nil {
		return
	}
	source, _ := p.Label("system_u:system_r:container_t:s0:c1,c2")
	target, _ := p.Label("system_u:object_r:container_file_t:s0:c3,c4")
	why, err := p.Explain(selinux.Question{Source: source, Target: target, Class: "file", Perm: "read"})
	if err != nil {
		return
	}
	fmt.Println(why.Allowed, why.Reason, why.Text)
}
