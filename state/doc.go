// Package state is the contract with what remembers: Store, and the records that Stowage keeps in it.
//
// A store holds small records by key and knows nothing of what is in them. The typed records (Replica,
// Intent, Release, ...) are encoded here, one a key, so that a change writes what changed and no more.
// Stores are in folders of their own (bolt, memory); every one passes the suite in statetest.
//
// No record holds a secret value: texts that are secret are fleet.Fingerprints.
package state
