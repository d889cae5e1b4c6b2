workload "web" {             # ERROR: Names collide on the hosts
  count = 2
  image = "x"
}
workload "web-1" { image = "x" } 
volume "data" { per_replica = true }
volume "data-db-0" {}        # ERROR: Names collide on the hosts
workload "db" {
  image = "x"
  mount "/d" { source = volume.data }
}
