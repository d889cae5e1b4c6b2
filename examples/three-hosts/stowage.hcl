# Nine replicas over three hosts in two zones, and an agent on each host.
#
# Say where they are in a file stowage.vars.hcl beside this one:
#
#   addresses = { a = "10.0.0.11", b = "10.0.0.12", c = "10.0.0.13" }

stowage {
  fleet = "three-hosts"
}

variable "addresses" {
  type        = map(string)
  description = "The hosts: a name and an address for each. A user other than yours comes from ~/.ssh/config or from defaults."

  validation {
    condition     = length(var.addresses) > 0
    error_message = "At least one host is needed."
  }
}

variable "release" {
  type    = string
  default = "1"
}

locals {
  # The first host is a zone of its own, so that spreading over zones shows.
  first = sort(keys(var.addresses))[0]
}

host "edge" {
  for_each = var.addresses
  address  = each.value
  labels   = { zone = each.key == local.first ? "north" : "south" }

  reserve {
    cpu    = 0.25
    memory = "256MiB"
  }
}

network "app" {}

volume "spool" {}

workload "web" {
  image    = "stowage-web:${var.release}"
  replicas = 9
  env      = { MESSAGE = "release ${var.release}" }
  networks = [network.app]

  port "http" {
    container = 8080
    host      = "auto"
  }

  resources {
    cpu    = 0.05
    memory = "32MiB"
  }

  placement {
    spread = ["zone"]
  }

  update {
    min_healthy_time = "0s" # one counts as soon as it runs; without this, when it has run for ten seconds
  }

  stop_timeout = "5s"
}

workload "agent" {
  image   = "stowage-web:${var.release}"
  mode    = "global"
  env     = { PORT = "9100", MESSAGE = "agent" }
  restart = "always"

  mount "/var/spool" {
    source = volume.spool
  }

  update {
    min_healthy_time = "0s"
  }
}

output "hosts" {
  description = "The address of each host."
  value       = var.addresses
}
