// Package providers is the contract with what runs containers on a host: Engine.
//
// Engines are in folders of their own (docker, fake); how their host is reached is in remote. Every
// implementation passes the suite in providertest. Values that cross the contract are plain data, since
// an engine may be a process of its own.
package providers
