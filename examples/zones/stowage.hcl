# Five hosts in three zones. What stands where, and why, is the subject of docs/placement.md.
#
#   stowage plan -var maintenance=true -format=svg >plan.svg    # empty host.node["north2"]: what moves where

stowage {
  fleet = "zones"
}

variable "maintenance" {
  type        = bool
  default     = false
  description = "Empties the host north2, so that it can be taken down."
}

locals {
  hosts = {
    north1 = { address = "203.0.113.11", zone = "north", disk = "ssd" }
    north2 = { address = "203.0.113.12", zone = "north", disk = "hdd" }
    south1 = { address = "203.0.113.21", zone = "south", disk = "ssd" }
    south2 = { address = "203.0.113.22", zone = "south", disk = "hdd" }
    west1  = { address = "203.0.113.31", zone = "west", disk = "hdd" }
  }
}

host "node" {
  for_each = local.hosts
  address  = each.value.address
  labels   = { zone = each.value.zone, disk = each.value.disk }
  drain    = var.maintenance && each.key == "north2"

  reserve {
    cpu    = 0.5
    memory = "512MiB"
  }

  capacity {
    cpu    = 4
    memory = "8GiB"
  }
}

workload "web" {
  image    = "stowage-web:1"
  replicas = var.maintenance ? 7 : 6

  resources {
    cpu    = 0.25
    memory = "768MiB"
  }

  placement {
    spread = ["zone"] # as many in each zone, then as many on each of its hosts
  }
}

workload "db" {
  image    = "stowage-web:1"
  replicas = 2
  env      = { PORT = "5432" }

  resources {
    cpu    = 1
    memory = "2GiB"
  }

  placement {
    labels       = { disk = "ssd" }
    max_per_host = 1
  }
}

workload "worker" {
  image    = "stowage-web:1"
  replicas = 3
  env      = { PORT = "9000" }

  resources {
    cpu    = 0.5
    memory = "1536MiB"
  }
}

workload "agent" {
  image = "stowage-web:1"
  mode  = "global" # one on each host
  env   = { PORT = "9100" }
}
