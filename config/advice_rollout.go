package config

// jobAdvice are words for what only jobs have, or have otherwise than workloads.
func jobAdvice() map[string]string {
	return map[string]string{
		"cron": "schedule", "crons": "schedule", "periodic": "schedule", "interval": "schedule", "timezone": "time_zone", "tz": "time_zone",
		"concurrencypolicy": "overlap", "concurrency_policy": "overlap", "prohibit_overlap": "overlap", "replace_running": "overlap",
		"backofflimit": "retries", "backoff_limit": "retries", "attempts": "retries", "max_attempts": "retries", "maxattempts": "retries", "retry": "retries", "reschedule": "retries",
		"activedeadlineseconds": "timeout", "deadline": "timeout", "max_duration": "timeout", "time_limit": "timeout",
		"completions": "replicas", "parallelism": "replicas", "task": "image and command", "group": "image and command", "restartpolicy": "retries", "restart_policy": "retries",
		"deploy": "placement, resources or replicas", "strategy": "placement { strategy = ... }",
	}
}

// workloadRollout are words for how a workload is watched and updated.
func workloadRollout() map[string]string {
	const order, onFailure = "update { order = ... }", "update { on_failure = ... }"
	return map[string]string{
		"livenessprobe": "healthcheck", "readinessprobe": "healthcheck", "startupprobe": "healthcheck", "liveness_probe": "healthcheck", "readiness_probe": "healthcheck",
		"health": "healthcheck", "probe": "healthcheck", "checks": "healthcheck", "check_restart": "healthcheck { on_unhealthy = ... }",
		"update_config": "update", "rolling_update": "update", "rollingupdate": "update", "updates": "update", "rollout": "update", "boot": "update",
		"rollback_config": onFailure, "rollback": onFailure, "auto_revert": onFailure, "failure_action": onFailure, "update_order": order,
		"update_parallelism": "update { max_parallel = ... }", "parallelism": "update { max_parallel = ... }", "deploy": "placement, resources, replicas or update",
		"strategy":        "placement { strategy = ... } or update { strategy = ... }",
		"minreadyseconds": "update { min_healthy_time = ... }", "readiness_delay": "update { min_healthy_time = ... }",
		"progressdeadlineseconds": "update { progress_deadline = ... }", "deploy_timeout": "update { healthy_deadline = ... }", "canaries": "update { canary = ... }",
		"hooks": `hook "pre_deploy" { ... }`, "pre_deploy": `hook "pre_deploy" { ... }`, "pre_start": `hook "pre_deploy" { ... }`, "prestart": `hook "pre_deploy" { ... }`,
		"x-pre_deploy": `hook "pre_deploy" { ... }`, "release_command": `hook "pre_deploy" { ... }`, "post_deploy": `hook "post_deploy" { ... }`, "post_start": `hook "post_deploy" { ... }`,
		"poststart": `hook "post_deploy" { ... }`, "on_failure": `hook "on_failure" { ... } or update { on_failure = ... }`,
		"initcontainers": `hook "pre_deploy" { ... } or a job in depends_on`, "init_containers": `hook "pre_deploy" { ... } or a job in depends_on`,
		"after": "depends_on", "requires": "depends_on", "needs": "depends_on",
	}
}

func healthAdvice() map[string]string {
	const healthy = "update { min_healthy_time = ... }"
	return map[string]string{
		"test": "command", "exec": "command", "script": "command", "cmd": "command", "args": "command", "shell": "command",
		"path": "http", "url": "http", "endpoint": "http", "httpget": "http", "http_get": "http", "uri": "http", "https": "http", "tcpsocket": "tcp", "tcp_socket": "tcp",
		"type": "http, tcp, grpc or command", "method": "http, which is a GET", "service": "grpc", "grpc_service": "grpc",
		"port_name": "port", "address_mode": "port", "period": "interval", "periodseconds": "interval", "every": "interval", "timeoutseconds": "timeout",
		"failurethreshold": "retries", "failures_before_critical": "retries", "limit": "retries", "max_attempts": "retries", "attempts": "retries", "unhealthy_threshold": "retries",
		"initialdelayseconds": "start_period", "grace": "start_period", "initial_delay": "start_period", "grace_period": "start_period", "start_delay": "start_period",
		"check_restart": "on_unhealthy", "restart": "on_unhealthy", "action": "on_unhealthy", "on_failure": "on_unhealthy",
		"successthreshold": healthy, "success_before_passing": healthy, "healthy_threshold": healthy, "min_healthy_time": healthy,
	}
}

func updateAdvice() map[string]string {
	return map[string]string{
		"parallelism": "max_parallel", "limit": "max_parallel", "batch_size": "max_parallel", "batch": "max_parallel", "maxparallel": "max_parallel",
		"delay": "min_healthy_time", "monitor": "min_healthy_time", "stagger": "min_healthy_time", "wait": "min_healthy_time", "minreadyseconds": "min_healthy_time",
		"failure_action": "on_failure", "failureaction": "on_failure", "auto_revert": "on_failure", "rollback": "on_failure", "auto_rollback": "on_failure",
		"maxsurge": "max_surge", "surge": "max_surge", "maxunavailable": "max_unavailable", "unavailable": "max_unavailable", "rollingupdate": `strategy = "rolling"`, "rolling_update": `strategy = "rolling"`,
		"type": "strategy", "blue_green": `strategy = "blue-green"`, "bluegreen": `strategy = "blue-green"`, "recreate": `strategy = "recreate"`, "canaries": "canary",
		"progressdeadlineseconds": "progress_deadline", "timeout": "healthy_deadline", "deadline": "healthy_deadline", "deploy_timeout": "healthy_deadline", "promote": "auto_promote",
		"start_first": `order = "start-first"`, "stop_first": `order = "stop-first"`,
	}
}

func hookAdvice() map[string]string {
	return map[string]string{"cmd": "command", "args": "command", "run": "command", "exec": "command", "script": "command", "deadline": "timeout", "type": "the block's label", "kind": "the block's label", "when": "the block's label"}
}

// adviseRollout is adviceFor for how things are watched, updated and run to completion. A job's words are a workload's where
// it has none of its own.
func adviseRollout(kind, word string) (say string, known bool) {
	table := map[string]map[string]string{
		"workload": workloadRollout(), "job": jobAdvice(), "healthcheck": healthAdvice(), "update": updateAdvice(), "hook": hookAdvice(),
	}
	say, known = table[kind][word]
	return say, known
}

// rolloutRefusals are words that have no counterpart, with the reason.
func rolloutRefusals() map[string]map[string]string {
	const once = "A job is done when it ends with status 0: there is nothing to be healthy in between."
	const run = "A job runs once a release and ends, so no replica of an older release is left that could be updated."
	return map[string]map[string]string{
		"job": {
			"healthcheck": once, "health_check": once, "livenessprobe": once, "readinessprobe": once, "startupprobe": once, "check": once,
			"update": run, "update_config": run, "hook": "A job is such a step itself: what is to run before it is another job, in its depends_on.",
		},
		"healthcheck": {
			"disable":        "An image's own HEALTHCHECK is not turned off, but another check takes its place: tcp = true is the least.",
			"start_interval": "In start_period the interval is the same.",
			"header":         "The request is a plain GET.", "headers": "The request is a plain GET.", "httpheaders": "The request is a plain GET.", "expected_status": "Every status from 200 to 399 is healthy.",
		},
		"update": {
			"max_failure_ratio": "The first replica that does not become healthy decides: on_failure says what then happens.",
			"rollback_config":   "The way back takes the same steps as the way there.",
			"min_available":     "max_unavailable says how many may be missing.",
			"health_checks":     "A replica with a healthcheck is healthy by that, one without by its image's HEALTHCHECK, else while it runs.",
			"health_check":      "A replica with a healthcheck is healthy by that, one without by its image's HEALTHCHECK, else while it runs.",
		},
		"hook": {
			"image": "A hook runs in the workload's new image. One with another image is a job, in depends_on.",
			"env":   "A hook has the workload's environment.",
			"local": "A hook runs on a host, in the workload's new image.",
		},
	}
}
