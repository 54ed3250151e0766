package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"salesforcesync/internal/app"
	"salesforcesync/internal/config"
)

// fields are what Kubernetes knows, by kind and path: "Service.spec.ports[].port" is an int.
type fields map[string]string

func readFields(t *testing.T) fields {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "kubernetes.txt"))
	require.NoError(t, err)
	all := fields{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			path, kind, ok := strings.Cut(strings.TrimSpace(line), " ")
			require.True(t, ok, line)
			all[path] = kind
		}
	}
	return all
}

// check holds a value against what Kubernetes knows under that path.
func (f fields) check(path string, value any) error {
	want, ok := f[path]
	if !ok {
		return fmt.Errorf("%s: there is no such field", path)
	}
	if element, ok := strings.CutPrefix(want, "map of "); ok {
		return f.checkMap(path, element, value)
	}
	if element, ok := strings.CutPrefix(want, "list of "); ok {
		list, ok := value.([]any)
		for i, v := range list {
			if err := checkScalar(path+"["+strconv.Itoa(i)+"]", element, v); err != nil {
				return err
			}
		}
		return isA(ok, path, "list", value)
	}
	switch want {
	case "bool", "int", "string", "int or string":
		return checkScalar(path, want, value)
	case "list":
		list, ok := value.([]any)
		for _, v := range list {
			if err := f.checkObject(path+"[]", v); err != nil {
				return err
			}
		}
		return isA(ok, path, "list", value)
	case "object":
		return f.checkObject(path, value)
	}
	return f.checkObject(want, value) // a type that several have
}

func (f fields) checkObject(path string, value any) error {
	object, ok := value.(map[string]any)
	for name, v := range object {
		if err := f.check(path+"."+name, v); err != nil {
			return err
		}
	}
	return isA(ok, path, "object", value)
}

func (f fields) checkMap(path, element string, value any) error {
	object, ok := value.(map[string]any)
	for name, v := range object {
		if err := checkScalar(path+"."+name, element, v); err != nil {
			return err
		}
	}
	return isA(ok, path, "map", value)
}

func checkScalar(path, want string, value any) error {
	is := map[string]bool{}
	switch value.(type) {
	case bool:
		is["bool"] = true
	case int:
		is["int"], is["int or string"] = true, true
	case string:
		is["string"], is["int or string"] = true, true
	}
	return isA(is[want], path, want, value)
}

func isA(ok bool, path, want string, value any) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s: %v is no %s", path, value, want)
}

// manifest is one object, as it is written and what is looked at of it.
type manifest struct {
	file, kind, name string
	raw              map[string]any
	node             yaml.Node
}

func (m manifest) decode(t *testing.T, into any) {
	t.Helper()
	require.NoError(t, m.node.Decode(into), "%s in %s", m.kind, m.file)
}

// manifests reads all of docs/kubernetes, and holds that each is listed to be applied.
func manifests(t *testing.T) []manifest {
	t.Helper()
	dir := filepath.Join(root, "docs", "kubernetes")
	text, err := os.ReadFile(filepath.Join(dir, "kustomization.yaml"))
	require.NoError(t, err)
	var k struct {
		Namespace string
		Resources []string
		Images    []struct{ Name, NewName, NewTag string }
	}
	require.NoError(t, yaml.Unmarshal(text, &k))
	require.Equal(t, "salesforcesync", k.Namespace)
	require.Len(t, k.Images, 1)
	require.Equal(t, "salesforcesync", k.Images[0].Name)
	found, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	require.NoError(t, err)
	require.Len(t, found, len(k.Resources)+1, "kustomization.yaml lists every manifest")
	var all []manifest
	for _, file := range k.Resources {
		text, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		d := yaml.NewDecoder(bytes.NewReader(text))
		for {
			m := manifest{file: file}
			if err := d.Decode(&m.node); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err, file)
			}
			m.decode(t, &m.raw)
			m.kind = m.raw["kind"].(string)
			m.name = m.raw["metadata"].(map[string]any)["name"].(string)
			all = append(all, m)
		}
	}
	return all
}

func TestKubernetesKnowsEveryField(t *testing.T) {
	t.Parallel()
	known := readFields(t)
	kinds := map[string]int{}
	for _, m := range manifests(t) {
		kinds[m.kind]++
		require.Equal(t, known[m.kind], m.raw["apiVersion"], "%s %s", m.kind, m.name)
		for name, v := range m.raw {
			if name != "apiVersion" && name != "kind" {
				require.NoError(t, known.check(m.kind+"."+name, v), m.file)
			}
		}
	}
	require.Equal(t, map[string]int{"Namespace": 1, "ConfigMap": 1, "ServiceAccount": 1, "Job": 1, "Deployment": 2, "Service": 1,
		"PodDisruptionBudget": 2, "HorizontalPodAutoscaler": 1, "Ingress": 1, "NetworkPolicy": 4}, kinds)

	// It does see what is wrong.
	for _, wrong := range []string{
		"{replica: 2}", "{replicas: '2'}", "{selector: {labels: {a: b}}}", "{template: {spec: {containers: {name: x}}}}",
		"{template: {spec: {containers: [{env: [{name: A, value: 1}]}]}}}", "{template: {spec: {containers: [{livenessProbe: {httpGet: {path: 1}}}]}}}",
		"{template: {spec: {containers: [{args: [1]}]}}}", "{template: {metadata: {labels: {a: true}}}}",
	} {
		var v any
		require.NoError(t, yaml.Unmarshal([]byte(wrong), &v))
		require.Error(t, known.check("Deployment.spec", v), wrong)
	}
}

// pod is what is looked at of a Deployment or a Job.
type pod struct {
	Spec struct {
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Grace           int    `yaml:"terminationGracePeriodSeconds"`
				ServiceAccount  string `yaml:"serviceAccountName"`
				Automount       *bool  `yaml:"automountServiceAccountToken"`
				SecurityContext struct {
					RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
					RunAsUser      int                   `yaml:"runAsUser"`
					SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
				} `yaml:"securityContext"`
				Containers []podContainer
				Volumes    []struct {
					Name   string
					Secret struct {
						SecretName string `yaml:"secretName"`
					}
				}
			}
		}
	}
}

type podContainer struct {
	Image   string
	Args    []string
	EnvFrom []struct {
		ConfigMapRef struct{ Name string } `yaml:"configMapRef"`
	} `yaml:"envFrom"`
	Env []struct{ Name, Value string }

	Ports []struct {
		Name string
		Port int `yaml:"containerPort"`
	}
	Startup   probe `yaml:"startupProbe"`
	Liveness  probe `yaml:"livenessProbe"`
	Readiness probe `yaml:"readinessProbe"`
	Lifecycle struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
	Resources struct{ Requests, Limits map[string]string }

	SecurityContext struct {
		Escalation   *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet          struct{ Path, Port string } `yaml:"httpGet"`
	PeriodSeconds    int                         `yaml:"periodSeconds"`
	FailureThreshold int                         `yaml:"failureThreshold"`
}

// podsOf gives what runs, by the program it runs, and the settings all are given.
func podsOf(t *testing.T) (pods map[config.Program]pod, settings map[string]string) {
	t.Helper()
	pods = map[config.Program]pod{}
	for _, m := range manifests(t) {
		switch m.kind {
		case "Deployment", "Job":
			var p pod
			m.decode(t, &p)
			require.Len(t, p.Spec.Template.Spec.Containers, 1)
			pods[config.Program(p.Spec.Template.Spec.Containers[0].Args[0])] = p
		case "ConfigMap":
			var c struct{ Data map[string]string }
			m.decode(t, &c)
			settings = c.Data
		}
	}
	require.Len(t, pods, 3, "all programs are there")
	return pods, settings
}

func TestPodsAreLocked(t *testing.T) {
	t.Parallel()
	pods, _ := podsOf(t)
	for program, p := range pods {
		spec := p.Spec.Template.Spec
		require.Equal(t, "salesforcesync", spec.ServiceAccount, program)
		require.False(t, *spec.Automount, program)
		require.True(t, spec.SecurityContext.RunAsNonRoot, program)
		require.Equal(t, 65532, spec.SecurityContext.RunAsUser, program)
		require.Equal(t, "RuntimeDefault", spec.SecurityContext.SeccompProfile.Type, program)
		c := spec.Containers[0]
		require.Equal(t, "salesforcesync", c.Image, "kustomization.yaml names the release")
		require.False(t, *c.SecurityContext.Escalation, program)
		require.True(t, c.SecurityContext.ReadOnly, program)
		require.Equal(t, []string{"ALL"}, c.SecurityContext.Capabilities.Drop, program)
		for _, resources := range []map[string]string{c.Resources.Requests, c.Resources.Limits} {
			require.NotEmpty(t, resources["cpu"], program)
			require.NotEmpty(t, resources["memory"], program)
		}
	}
}

func TestPodsAreConfigured(t *testing.T) {
	t.Parallel()
	pods, settings := podsOf(t)
	known := map[string]config.Variable{}
	for _, v := range config.Variables() {
		known[v.Name] = v
	}
	for name := range settings {
		require.Contains(t, known, name, "no program reads it")
		require.False(t, known[name].Secret, "%s is a secret", name)
	}
	for program, p := range pods {
		c, set := p.Spec.Template.Spec.Containers[0], map[string]bool{}
		require.Len(t, c.EnvFrom, 1)
		require.Equal(t, "salesforcesync", c.EnvFrom[0].ConfigMapRef.Name)
		for name := range settings {
			set[name] = true
		}
		for _, e := range c.Env {
			base, file := strings.CutSuffix(e.Name, "_FILE")
			v, ok := known[base]
			require.True(t, ok, "%s sets %s, which no program reads", program, e.Name)
			require.Contains(t, v.Programs, program, "%s sets %s", program, e.Name)
			require.Equal(t, v.Secret, file, "%s of %s: secrets are files, and only they", e.Name, program)
			if file {
				require.Equal(t, filepath.ToSlash(filepath.Join(c.VolumeMounts[0].MountPath, strings.ToLower(base))), e.Value)
			}
			set[base] = true
		}
		for _, v := range known {
			require.True(t, set[v.Name] || !slices.Contains(v.Required, program), "%s needs %s", program, v.Name)
		}
		volumes := p.Spec.Template.Spec.Volumes
		require.Len(t, volumes, 1)
		require.Equal(t, volumes[0].Name, c.VolumeMounts[0].Name)
		require.Equal(t, "salesforcesync", volumes[0].Secret.SecretName)
	}
}

func TestProbesAskWhereProgramsAnswer(t *testing.T) {
	t.Parallel()
	pods, _ := podsOf(t)
	image := environment(dockerfile(t).stage(t, "product"))
	for _, program := range []config.Program{config.Worker, config.Authsvc} {
		p := pods[program]
		spec := p.Spec.Template.Spec
		c := spec.Containers[0]
		listens := map[string]string{"http": image["LISTEN_ADDR"], "metrics": image["METRICS_ADDR"]}
		for _, e := range c.Env {
			switch e.Name {
			case "LISTEN_ADDR":
				listens["http"] = e.Value
			case "METRICS_ADDR":
				listens["metrics"] = e.Value
			}
		}
		ports := map[string]int{}
		for _, port := range c.Ports {
			ports[port.Name] = port.Port
			require.Equal(t, "0.0.0.0:"+strconv.Itoa(port.Port), listens[port.Name], "%s listens on its port %s", program, port.Name)
		}
		require.Contains(t, ports, "metrics", "Prometheus finds it by name")
		for _, asked := range []probe{c.Startup, c.Liveness, c.Readiness} {
			require.Contains(t, ports, asked.HTTPGet.Port, program)
			require.Contains(t, []string{"/healthz", "/readyz"}, asked.HTTPGet.Path, program)
		}
		require.Equal(t, "/healthz", c.Liveness.HTTPGet.Path, "a restart brings no database back")
		require.Greater(t, time.Duration(c.Startup.PeriodSeconds*c.Startup.FailureThreshold)*time.Second, app.WaitAtStart, "%s is killed while it waits for what it needs", program)
		require.Greater(t, time.Duration(spec.Grace-c.Lifecycle.PreStop.Sleep.Seconds)*time.Second, app.StopTimeout, "%s is killed before it has stopped", program)
	}
}

// What selects pods selects those that there are.
func TestSelectorsFindTheirPods(t *testing.T) {
	t.Parallel()
	pods, _ := podsOf(t)
	matches := func(selector map[string]string) []config.Program {
		var found []config.Program
		for program, p := range pods {
			all := true
			for name, value := range selector {
				all = all && p.Spec.Template.Metadata.Labels[name] == value
			}
			if all {
				found = append(found, program)
			}
		}
		slices.Sort(found)
		return found
	}
	type labels struct {
		MatchLabels map[string]string `yaml:"matchLabels"`
	}
	deployments := map[string]config.Program{}
	for _, m := range manifests(t) {
		switch m.kind {
		case "Deployment":
			var p pod
			m.decode(t, &p)
			deployments[m.name] = config.Program(m.name)
			require.Equal(t, []config.Program{config.Program(m.name)}, matches(p.Spec.Selector.MatchLabels))
		case "PodDisruptionBudget":
			var b struct{ Spec struct{ Selector labels } }
			m.decode(t, &b)
			require.Equal(t, []config.Program{config.Program(m.name)}, matches(b.Spec.Selector.MatchLabels))
		case "HorizontalPodAutoscaler":
			var h struct {
				Spec struct {
					Min    int                         `yaml:"minReplicas"`
					Target struct{ Kind, Name string } `yaml:"scaleTargetRef"`
				}
			}
			m.decode(t, &h)
			require.Contains(t, deployments, h.Spec.Target.Name)
			require.GreaterOrEqual(t, h.Spec.Min, 2)
		case "Service":
			var s struct {
				Spec struct {
					Selector map[string]string
					Ports    []struct {
						Name   string
						Target string `yaml:"targetPort"`
					}
				}
			}
			m.decode(t, &s)
			require.Equal(t, []config.Program{config.Authsvc}, matches(s.Spec.Selector))
			require.Equal(t, "http", s.Spec.Ports[0].Target)
		case "NetworkPolicy":
			var n struct {
				Spec struct {
					Pods  labels   `yaml:"podSelector"`
					Types []string `yaml:"policyTypes"`
				}
			}
			m.decode(t, &n)
			want := map[string]int{"nothing-else": 3, "programs": 3, "monitoring": 3, "visitors": 1}[m.name]
			require.Len(t, matches(n.Spec.Pods.MatchLabels), want, m.name)
			require.NotEmpty(t, n.Spec.Types, m.name)
		}
	}
	require.Len(t, deployments, 2)
}

// What Prometheus makes of the pods has the jobs that the alerts know: with others WorkerMissing fires for
// ever, and the rest says nothing.
func TestPrometheusFindsThePods(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "monitoring", "prometheus-kubernetes.yml"))
	require.NoError(t, err)
	var c struct {
		RuleFiles []string `yaml:"rule_files"`
		Scrape    []struct {
			Kubernetes []struct {
				Role       string
				Namespaces struct{ Names []string }
			} `yaml:"kubernetes_sd_configs"`
			Relabel []*relabel.Config `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	require.NoError(t, yaml.Unmarshal(text, &c))
	require.Equal(t, []string{"alerts.yml"}, c.RuleFiles)
	require.Len(t, c.Scrape, 1)
	require.Equal(t, "pod", c.Scrape[0].Kubernetes[0].Role)
	require.Equal(t, []string{"salesforcesync"}, c.Scrape[0].Kubernetes[0].Namespaces.Names)
	for _, r := range c.Scrape[0].Relabel {
		require.NoError(t, r.Validate(model.UTF8Validation))
	}
	pods, _ := podsOf(t)
	found := map[string]string{} // job, by port
	plain := regexp.MustCompile(`[^A-Za-z0-9_]`)
	for _, p := range pods {
		for _, port := range p.Spec.Template.Spec.Containers[0].Ports {
			target := labels.NewBuilder(labels.FromStrings("job", "salesforcesync", "__meta_kubernetes_pod_name", "x-1",
				"__meta_kubernetes_pod_container_port_name", port.Name))
			for name, value := range p.Spec.Template.Metadata.Labels {
				target.Set("__meta_kubernetes_pod_label_"+plain.ReplaceAllString(name, "_"), value)
			}
			if relabel.ProcessBuilder(target, c.Scrape[0].Relabel...) {
				found[target.Get("job")] = port.Name
				require.Equal(t, "x-1", target.Get("instance"))
			}
		}
	}
	require.Equal(t, map[string]string{"salesforcesync-worker": "metrics", "salesforcesync-authsvc": "metrics"}, found)
}
