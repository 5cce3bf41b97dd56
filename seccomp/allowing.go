package seccomp

import (
	"encoding/json"
	"slices"
)

// Allowing is a profile that allows calls which the profile refuses: they are taken out of its rules, and a rule is added.
func Allowing(profile []byte, names []string) ([]byte, error) {
	var p map[string]any
	if err := json.Unmarshal(profile, &p); err != nil {
		return nil, err
	}
	rules, _ := p["syscalls"].([]any)
	var kept []any
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		list, _ := rule["names"].([]any)
		list = slices.DeleteFunc(list, func(n any) bool { s, _ := n.(string); return slices.Contains(names, s) })
		if rule["name"] == nil && len(list) == 0 {
			continue
		}
		rule["names"] = list
		kept = append(kept, rule)
	}
	p["syscalls"] = append(kept, map[string]any{"names": names, "action": "SCMP_ACT_ALLOW"})
	return json.Marshal(p)
}
