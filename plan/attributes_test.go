package plan

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stowage-run/stowage/fleet"
)

// TestEveryFieldIsAnAttribute sets each field of a spec and of a workload, however deep, and asks that the list of
// attributes tells it from an empty one. A field added to the vocabulary fails here until it is compared.
func TestEveryFieldIsAnAttribute(t *testing.T) {
	skip := map[string]string{
		"Spec.Image.ID":      "the pin is the digest where there is one",
		"Workload.Name":      "it is the address",
		"Workload.Replicas":  "replicas come and go, each with a change of its own",
		"Spec.Mounts.Kind":   "shown by the source",
		"Spec.Ports.Name":    "it is the path",
		"Spec.Mounts.Target": "it is the path",
		"Spec.Files.Path":    "it is the path",
		"Spec.Ulimits.Name":  "it is the path",
		"Spec.Ports.Host":    "only with a policy",
		"Spec.Mounts.Volume": "only with a kind",
		"Spec.Mounts.Source": "only with a kind",
	}
	for _, c := range []struct {
		name string
		zero any
		list func(any) []Attribute
	}{
		{"Spec", fleet.Spec{}, func(v any) []Attribute { return SpecAttributes(v.(fleet.Spec)) }},
		{"Workload", fleet.Workload{}, func(v any) []Attribute { return WorkloadAttributes(v.(fleet.Workload)) }},
	} {
		empty := fmt.Sprint(c.list(c.zero))
		root := reflect.New(reflect.TypeOf(c.zero)).Elem()
		walk(root, c.name, func(path string) {
			if skip[path] != "" {
				return
			}
			if got := fmt.Sprint(c.list(root.Interface())); got == empty {
				t.Errorf("%s is not among the attributes", path)
			}
		})
	}
}

// walk sets every field below v in turn, calls do, and sets it back. In a slice or map it sets the fields of
// one element and compares with the bare element by its other fields.
func walk(v reflect.Value, path string, do func(string)) {
	for i := range v.NumField() {
		f, at := v.Field(i), path+"."+v.Type().Field(i).Name
		if at == "Workload.Spec" {
			continue
		}
		old := reflect.New(f.Type()).Elem()
		old.Set(f)
		switch f.Kind() {
		case reflect.Struct:
			walk(f, at, do)
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
			do(at)
			walk(f.Elem(), at, do)
		case reflect.Slice:
			e := reflect.New(f.Type().Elem()).Elem()
			if e.Kind() != reflect.Struct {
				set(e)
			}
			f.Set(reflect.Append(f, e))
			if e.Kind() == reflect.Struct {
				walk(f.Index(0), at, do)
			} else {
				do(at)
			}
		case reflect.Map:
			e := reflect.New(f.Type().Elem()).Elem()
			if e.Kind() == reflect.String {
				set(e)
			}
			f.Set(reflect.MakeMap(f.Type()))
			f.SetMapIndex(reflect.ValueOf("k"), e)
			do(at)
		default:
			set(f)
			do(at)
		}
		f.Set(old)
	}
}

func set(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("global")
		if v.Type() == reflect.TypeFor[fleet.PortPolicy]() {
			v.SetString(string(fleet.PortAuto))
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint16, reflect.Uint32:
		v.SetUint(7)
	default:
		panic("a kind of field that this test does not know: " + v.Kind().String())
	}
}

// TestDifferences: values, secrets and what is not set.
func TestDifferences(t *testing.T) {
	secret := func(s string) fleet.Spec {
		return fleet.Spec{Env: map[string]fleet.Text{"P": {Sealed: fleet.Fingerprint(s)}}}
	}
	plain := fleet.Spec{Env: map[string]fleet.Text{"P": {Plain: "old password"}}}
	a, b := secret("a"), secret("b")
	for _, c := range []struct {
		name     string
		old, new fleet.Spec
		want     string
	}{
		{"nothing", a, a, ""},
		{"another secret", a, b, "env.P changed: hidden -> hidden, replaces"},
		{"a value becomes secret", plain, a, "env.P changed: hidden -> hidden, replaces"},
		{"a secret goes", a, fleet.Spec{}, "env.P changed: hidden -> unset, replaces"},
		{"empty is not unset", fleet.Spec{}, fleet.Spec{Entrypoint: []string{}}, "entrypoint changed: unset -> [], replaces"},
		{"memory", fleet.Spec{Limits: fleet.Limits{Memory: fleet.MiB}}, fleet.Spec{Limits: fleet.Limits{Memory: fleet.GiB}}, "resources.memory_max changed: 1MiB -> 1GiB"},
	} {
		d := Docker().compare(&c.old, &c.new)
		got := ""
		for _, x := range d.diff {
			show := func(s *string) string {
				switch {
				case s == nil:
					return "unset"
				case x.Sensitive && *s == "":
					return "hidden"
				}
				return *s
			}
			got += d.reason + ": " + show(x.Before) + " -> " + show(x.After)
			if d.replaces {
				got += ", replaces"
			}
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
