package pod

import (
	"os"
	"testing"

	"syscallstory/from/node"
	"syscallstory/world"
)

// layers stands in for package overlay, which an input does not know: the image's files alone.
type layers struct{}

func (layers) NewOverlay(fs *world.FS, sb world.SB) world.SBID {
	sb.Type = "overlay"
	return fs.NewSB(sb, *fs.I(sb.Overlay.Lower[0]))
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"../../examples/explorer.yaml", "../../examples/explorer-2018.yaml"} {
		if text, err := os.ReadFile(name); err == nil {
			f.Add(text)
		}
	}
	f.Add([]byte("kind: Pod\nspec:\n  hostUsers: false\n  securityContext: {fsGroup: 1, seLinuxOptions: {level: s0}}\n  containers:\n  - name: c\n    workingDir: /a/../b\n    env: [{name: X, value: y}]\n    securityContext: {capabilities: {add: [ALL], drop: [chown]}, readOnlyRootFilesystem: true, procMount: Unmasked}\n" +
		"    volumeMounts: [{name: v, mountPath: /v/w, subPathExpr: $(X)/z, mountPropagation: HostToContainer}, {name: s, mountPath: /v}]\n  volumes: [{name: v, emptyDir: {}}, {name: s, projected: {sources: [{secret: {name: x, items: [{key: k, path: a/b}]}}]}}]\n"))
	f.Add([]byte("kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c}]}}}}}"))
	n, err := node.Parse("n", []byte("mounts: [{mountPoint: /, fsType: ext4, propagation: shared}]\nengine: {name: docker}\nkubelet: {version: 1.26.0, seccompDefault: true}"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ws, err := Parse("f", text)
		if err != nil {
			return
		}
		for _, w := range ws {
			for _, o := range []Options{{Rootfs: "embedded", Node: n, Merger: layers{}}, {Merger: layers{}}} {
				if _, err := w.Input(o).World(); err == nil && len(w.Spec.Containers) > 1 {
					t.Errorf("one of %d containers was picked", len(w.Spec.Containers))
				}
			}
		}
	})
}
