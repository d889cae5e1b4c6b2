module github.com/stowage-run/stowage

go 1.26.0
