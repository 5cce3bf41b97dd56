package pod

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// validate refuses what the API server refuses of the fields that decide a syscall: no such Pod ever runs.
func (b *builder) validate() error {
	if b.c.Name == "" {
		return b.p.Doc.Fail(b.path, "a container needs a name")
	}
	for _, f := range []func() error{b.validateVolumes, b.validateMounts, b.validateSecurity} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) validateVolumes() error {
	seen := map[string]bool{}
	for i := range b.p.Spec.Volumes {
		v := &b.p.Spec.Volumes[i]
		at := fmt.Sprintf("%s.volumes[%d]", b.p.Path, i)
		switch {
		case v.Name == "":
			return b.p.Doc.Fail(at, "a volume needs a name")
		case seen[v.Name]:
			return b.p.Doc.Fail(at+".name", "there are two volumes named %s", v.Name)
		}
		seen[v.Name] = true
		if h := v.HostPath; h != nil {
			switch {
			case h.Path == "":
				return b.p.Doc.Fail(at+".hostPath", "a hostPath needs a path")
			case strings.Contains("/"+h.Path+"/", "/../"):
				return b.p.Doc.Fail(at+".hostPath.path", "hostPath %q must not have .. in it", h.Path)
			}
			if h.Type != nil {
				if _, ok := hostTypes[*h.Type]; !ok {
					return b.p.Doc.Fail(at+".hostPath.type", "unknown hostPath type %q", *h.Type)
				}
			}
		}
		if e := v.EmptyDir; e != nil && e.Medium != "" && e.Medium != corev1.StorageMediumMemory && !strings.HasPrefix(string(e.Medium), string(corev1.StorageMediumHugePages)) {
			return b.p.Doc.Fail(at+".emptyDir.medium", "unknown medium %q", e.Medium)
		}
	}
	return nil
}

func (b *builder) validateMounts() error {
	points := map[string]bool{}
	for i := range b.c.VolumeMounts {
		vm := &b.c.VolumeMounts[i]
		at := fmt.Sprintf("%s.volumeMounts[%d]", b.path, i)
		sub, subAt := vm.SubPath, at+".subPath"
		if vm.SubPathExpr != "" {
			sub, subAt = vm.SubPathExpr, at+".subPathExpr"
		}
		prop := corev1.MountPropagationNone
		if vm.MountPropagation != nil {
			prop = *vm.MountPropagation
		}
		rro := vm.RecursiveReadOnly
		switch {
		case b.volumeOf(vm.Name) < 0:
			return b.p.Doc.Fail(at+".name", "there is no volume %q", vm.Name)
		case vm.MountPath == "":
			return b.p.Doc.Fail(at, "a volumeMount needs a mountPath")
		case !path.IsAbs(vm.MountPath):
			return b.p.Doc.Fail(at+".mountPath", "mountPath %q is not absolute", vm.MountPath)
		case points[vm.MountPath]:
			return b.p.Doc.Fail(at+".mountPath", "mountPath %s stands twice", vm.MountPath)
		case vm.SubPath != "" && vm.SubPathExpr != "":
			return b.p.Doc.Fail(at+".subPathExpr", "subPath and subPathExpr exclude each other")
		case path.IsAbs(sub) || strings.Contains("/"+sub+"/", "/../"):
			return b.p.Doc.Fail(subAt, "%q: a subPath is relative and has no .. in it", sub)
		case sub != "" && strings.Contains(b.path, "ephemeralContainers"):
			return b.p.Doc.Fail(subAt, "an ephemeral container cannot use a subPath")
		case prop != corev1.MountPropagationNone && prop != corev1.MountPropagationHostToContainer && prop != corev1.MountPropagationBidirectional:
			return b.p.Doc.Fail(at+".mountPropagation", "unknown mountPropagation %q: None, HostToContainer and Bidirectional exist", prop)
		case prop == corev1.MountPropagationBidirectional && !b.privileged():
			return b.p.Doc.Fail(at+".mountPropagation", "Forbidden: Bidirectional mount propagation is available only to privileged containers")
		case rro != nil && *rro != corev1.RecursiveReadOnlyDisabled && *rro != corev1.RecursiveReadOnlyIfPossible && *rro != corev1.RecursiveReadOnlyEnabled:
			return b.p.Doc.Fail(at+".recursiveReadOnly", "unknown recursiveReadOnly %q: Disabled, IfPossible and Enabled exist", *rro)
		case rro != nil && *rro != corev1.RecursiveReadOnlyDisabled && !vm.ReadOnly:
			return b.p.Doc.Fail(at+".recursiveReadOnly", "recursiveReadOnly needs readOnly: true")
		case rro != nil && *rro != corev1.RecursiveReadOnlyDisabled && prop != corev1.MountPropagationNone:
			return b.p.Doc.Fail(at+".recursiveReadOnly", "recursiveReadOnly needs mountPropagation None")
		}
		points[vm.MountPath] = true
	}
	return nil
}

func (b *builder) validateSecurity() error {
	s, sc := &b.p.Spec, b.sc
	userns := s.HostUsers != nil && !*s.HostUsers
	for _, c := range []struct {
		bad      bool
		at, text string
	}{
		{sc.AllowPrivilegeEscalation != nil && !*sc.AllowPrivilegeEscalation && b.privileged(), b.scField("allowPrivilegeEscalation"), "allowPrivilegeEscalation cannot be false for a privileged container"},
		{sc.AllowPrivilegeEscalation != nil && !*sc.AllowPrivilegeEscalation && b.adds("CAP_SYS_ADMIN"), b.scField("allowPrivilegeEscalation"), "allowPrivilegeEscalation cannot be false with CAP_SYS_ADMIN"},
		{sc.ProcMount != nil && *sc.ProcMount != corev1.DefaultProcMount && *sc.ProcMount != corev1.UnmaskedProcMount, b.scField("procMount"), "unknown procMount: Default and Unmasked exist"},
		{sc.ProcMount != nil && *sc.ProcMount == corev1.UnmaskedProcMount && !userns, b.scField("procMount"), "procMount: Unmasked needs hostUsers: false"},
		{userns && s.HostNetwork, b.p.Path + ".hostUsers", "hostUsers: false does not go with hostNetwork"},
		{userns && s.HostPID, b.p.Path + ".hostUsers", "hostUsers: false does not go with hostPID"},
		{userns && s.HostIPC, b.p.Path + ".hostUsers", "hostUsers: false does not go with hostIPC"},
	} {
		if c.bad {
			return b.p.Doc.Fail(c.at, "%s", c.text)
		}
	}
	for _, id := range []struct {
		v  *int64
		at string
	}{{sc.RunAsUser, b.scField("runAsUser")}, {sc.RunAsGroup, b.scField("runAsGroup")}, {b.psc.RunAsUser, b.p.Path + ".securityContext.runAsUser"},
		{b.psc.RunAsGroup, b.p.Path + ".securityContext.runAsGroup"}, {b.psc.FSGroup, b.p.Path + ".securityContext.fsGroup"}} {
		if id.v != nil && (*id.v < 0 || *id.v > 1<<31-1) {
			return b.p.Doc.Fail(id.at, "an id is between 0 and 2147483647")
		}
	}
	for i, g := range b.psc.SupplementalGroups {
		if g < 0 || g > 1<<31-1 {
			return b.p.Doc.Fail(fmt.Sprintf("%s.securityContext.supplementalGroups[%d]", b.p.Path, i), "an id is between 0 and 2147483647")
		}
	}
	return nil
}

// adds reports whether the container adds a capability, as it is written.
func (b *builder) adds(name string) bool {
	if b.sc.Capabilities == nil {
		return false
	}
	for _, c := range b.sc.Capabilities.Add {
		if string(c) == name {
			return true
		}
	}
	return false
}

// volumeOf finds a volume by its name, -1 if there is none.
func (b *builder) volumeOf(name string) int {
	for i := range b.p.Spec.Volumes {
		if b.p.Spec.Volumes[i].Name == name {
			return i
		}
	}
	return -1
}
