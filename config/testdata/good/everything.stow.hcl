stowage {
  fleet            = "shop-${var.env}"
  required_version = ">= 0.1"
  state "local" {
    path = ".stowage"
  }
  deletion_budget = "25%"
}

defaults {
  ssh {
    user = "deploy"
    port = 2222
  }
  reserve {
    cpu    = 0.5
    memory = "512m"
  }
}

variable "env" {
  type    = string
  default = "staging"
  validation {
    condition     = contains(["staging", "production"], var.env)
    error_message = "one of the two"
  }
}

variable "from_env" {}

variable "token" {
  sensitive = true
  default   = "tok-hunter2"
}

variable "shape" {
  type    = object({ n = optional(number, 3), tags = list(string) })
  default = { tags = ["x"] }
}

locals {
  zones = { a = "10.0.0.11", b = "10.0.0.12" }
  big   = [for i in range(3) : "v${i}"]
}

host "edge" {
  for_each = local.zones
  address  = each.value
  labels   = { zone = "eu-${each.key}", disk = "ssd" }
  ssh {
    user        = "root"
    key_file    = "~/.ssh/id_ed25519"
    known_hosts = "hosts"
    host_key    = "accept-new"
    jump_host   = "ops@bastion.example.com:22"
    timeout     = "10s"
  }
  engine "docker" { socket = "/var/run/docker.sock" }
  capacity {
    cpu     = "4000m"
    memory  = "8GiB"
    gpus    = 2
    devices = ["/dev/kvm", "/dev/fuse", "/dev/a/", "/dev/kvm"]
  }
  cordon = each.key == "b"
}

host "here" {
  labels = { cores = 8, fast = true, disk = "ssd", rotten = "no" }
}

host "many" {
  count   = 2
  address = cidrhost("10.1.0.0/24", count.index + 1)
}

volume "data" {
  per_replica     = true
  prevent_destroy = true
}
network "app" {}

secret "db" { env = "DB_PASSWORD" }
secret "unused" { env = "NOT_SET" }

workload "db" {
  image = "postgres"
  mount "/var/lib/postgresql/data" { source = volume.data }
  networks = [network.app]
  env      = { POSTGRES_PASSWORD = secret.db.value }
}

workload "web" {
  image        = "ghcr.io/acme/web:1"
  pull_policy  = "always"
  replicas     = var.shape.n
  entrypoint   = ["/bin/web"]
  command      = "serve --name 'a b' x\\ y"
  working_dir  = "/srv/"
  user         = 1000
  hostname     = "web"
  env_file     = ["web.env"]
  env          = { LOG = "info", N = 5, OK = true, OVER = "env", GONE = null, URL = "postgres://x:${secret.db.value}@db", T = var.token, E = var.from_env }
  labels       = { team = "shop" }
  networks     = [network.app]
  extra_hosts  = { "db.local" = "10.0.0.9" }
  stop_signal  = "quit"
  stop_timeout = "1m"
  restart      = "unless-stopped"
  depends_on   = [workload.db]

  dynamic "port" {
    for_each = { http = 8080, admin = 9090 }
    labels   = [port.key]
    content {
      container = port.value
      host      = port.key == "http" ? "auto" : null
    }
  }
  port "fixed" {
    container = 53
    host      = 5353
    bind      = "127.0.0.1"
    protocol  = "udp"
  }
  mount "/data/" {
    source    = "./conf"
    read_only = true
  }
  mount "/scratch" {
    tmpfs { size = "64MiB" }
  }
  tmpfs = ["/run:size=16m"]
  file "/etc/app.conf" {
    content   = templatefile("app.conf.tmpl", { n = 2 })
    mode      = "0600"
    on_change = "signal:SIGHUP"
  }
  file "/etc/secret" { content = "p=${secret.db.value}" }
  file "/etc/list" { content = join(",", fileset("conf", "**/*.txt")) }
  resources {
    cpu        = 0.25
    cpu_max    = 1
    memory     = "256MiB"
    memory_max = "512M"
    gpus       = 1
  }
  placement {
    hosts        = [host.edge["a"], host.edge["b"], host.here]
    labels       = { disk = "ssd" }
    spread       = ["zone", "disk"]
    max_per_host = 2
    strategy     = "spread"
    priority     = 80
    constraint {
      attribute = "zone"
      operator  = "in"
      value     = ["eu-a", "eu-b"]
    }
    constraint {
      attribute = "disk"
      value     = "ssd"
    }
    constraint {
      attribute = "disk"
      operator  = "is_set"
    }
    constraint {
      attribute = "rotten"
      operator  = "is_set"
      value     = false
    }
    constraint {
      attribute = "host.engine_version"
      operator  = "version"
      value     = ">= 20.10, < 99"
    }
    dynamic "constraint" {
      for_each = { "!=" = "db", regexp = "^[a-m]", not_in = ["x", 2] }
      content {
        attribute = "host.name"
        operator  = constraint.key
        value     = constraint.value
      }
    }
    affinity {
      attribute = workload.db
      weight    = 50
    }
    affinity {
      attribute = "workload.api"
      weight    = -20
    }
    affinity {
      attribute = "disk"
      operator  = "="
      value     = "ssd"
      weight    = 100
    }
  }
  logging {
    driver  = "json-file"
    options = { max-size = "10m" }
  }
  init         = true
  cap_add      = ["cap_net_admin", "SYS_TIME", "NET_ADMIN"]
  cap_drop     = ["all"]
  security_opt = ["no-new-privileges"]
  sysctls      = { "net.core.somaxconn" = 1024 }
  ulimits      = { nofile = { soft = 1024, hard = 4096 }, nproc = 100, core = "0:0" }
  shm_size     = "64m"
  pids_limit   = 100
  devices      = ["/dev/fuse", "/dev/a:/dev/b:r"]
  dns          = ["1.1.1.1"]
}

workload "packed" {
  image     = "packed:1"
  exclusive = true
  placement {
    strategy = "binpack"
    constraint {
      attribute = "cores"
      operator  = ">="
      value     = 4
    }
    constraint {
      attribute = "fast"
      value     = true
    }
    affinity {
      attribute = workload.web
      weight    = -100
    }
    affinity {
      attribute = workload.api["eu"]
      weight    = 1
    }
  }
}

workload "agent" {
  image = "agent@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  mode  = "global"
}

workload "api" {
  for_each = toset(["eu", "us"])
  image    = "api:${each.key}"
  placement {
    affinity {
      attribute = workload.api
      weight    = -10
    }
  }
  env      = { REGION = each.value, FLEET = fleet.name, PEER = workload.db.name, ADDR = host.edge["a"].address }
}

output "url" { value = "http://${host.edge["a"].address}:${workload.web.ports.http.container}" }
output "port" { value = workload.web.ports.http.host }
output "addresses" { value = [for h in host.many : h.address] }
output "password" {
  value     = secret.db.value
  sensitive = true
}

workload "sealed" {
  image     = "sealed:1"
  read_only = true
}

check "survives" {
  assert {
    condition     = fleet.survives_any_host && fleet.survives_any("zone")
    error_message = "The shop ${fleet.name} must stay open."
  }
  assert {
    condition     = workload.web.replicas >= 2
    error_message = "One web is none."
  }
}
