package config

import (
	"fmt"
	"testing"
)

// A thousand hosts by for_each, with labels and a reference to a local each.
func BenchmarkThousandHosts(b *testing.B) {
	benchmark(b, `
locals { hosts = { for i in range(1000) : "h${i}" => cidrhost("10.0.0.0/16", i + 1) } }
host "h" {
  for_each = local.hosts
  address  = each.value
  labels   = { zone = "z${parseint(substr(each.key, 1, 1), 10) % 3}" }
  ssh { user = "root" }
}
workload "web" {
  image    = "web:1"
  replicas = 1000
}
`, 1000)
}

// Ten thousand replicas are one workload.
func BenchmarkTenThousandReplicas(b *testing.B) {
	benchmark(b, `
host "h" {
  count   = 100
  address = "10.0.0.${count.index + 1}"
}
workload "web" {
  image    = "web:1"
  replicas = 10000
}
`, 100)
}

// As many hosts as may be, named by a set.
func BenchmarkMostHosts(b *testing.B) {
	benchmark(b, fmt.Sprintf(`
locals { names = flatten([for i in range(5) : [for j in range(1000) : "h${i * 1000 + j}"]]) }
host "h" {
  for_each = toset(local.names)
  address  = "${each.key}.example.com"
  labels   = { a = "b", n = each.key }
}
workload "web" {
  for_each  = { for k, h in host.h : k => h.name if length(k) < 4 }
  image     = "web:%d"
  placement { hosts = [host.h[each.key]] }
}
`, 1), maxHosts)
}

func benchmark(b *testing.B, src string, hosts int) {
	dir := b.TempDir()
	writeFile(b, dir, "stowage.hcl", src)
	for b.Loop() {
		c, diags := Load(b.Context(), Inputs{Dir: dir})
		if diags.HasErrors() {
			b.Fatal(diags.Err())
		}
		d, diags := c.Evaluate(b.Context(), sealTest)
		if diags.HasErrors() {
			b.Fatal(diags.Err())
		}
		if len(d.Fleet.Hosts) != hosts {
			b.Fatalf("%d hosts", len(d.Fleet.Hosts))
		}
	}
}
