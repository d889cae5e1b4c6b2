package state

import "fmt"

// MaxKeyBytes is the longest key.
const MaxKeyBytes = 512

// Check reports whether the transaction is one that a store may be given: ErrTooLarge beyond the limits,
// another error for empty keys and for keys named twice. Every store calls it first.
//
// Conditions have a limit of their own, as etcd counts them: at most MaxTxnOps of each.
func (t Txn) Check() error {
	if n := len(t.Put) + len(t.Delete); n > MaxTxnOps || len(t.If) > MaxTxnOps {
		return fmt.Errorf("%w: %d changes and %d conditions, at most %d are allowed", ErrTooLarge, n, len(t.If), MaxTxnOps)
	}
	if n := t.size(); n > MaxTxnBytes {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, n, MaxTxnBytes)
	}
	seen := make(map[Key]bool, len(t.Put)+len(t.Delete))
	for _, p := range t.Put {
		if err := checkKey(p.Key, seen); err != nil {
			return err
		}
	}
	for _, k := range t.Delete {
		if err := checkKey(k, seen); err != nil {
			return err
		}
	}
	for _, c := range t.If {
		if err := checkKey(c.Key, nil); err != nil {
			return err
		}
	}
	return nil
}

// checkKey checks one key, and notes it in seen.
func checkKey(k Key, seen map[Key]bool) error {
	switch {
	case k == "":
		return fmt.Errorf("a transaction with an empty key")
	case len(k) > MaxKeyBytes:
		return fmt.Errorf("%w: a key of %d bytes, at most %d are allowed: %.80s...", ErrTooLarge, len(k), MaxKeyBytes, k)
	case seen[k]:
		return fmt.Errorf("a transaction that changes %s twice", k)
	}
	if seen != nil {
		seen[k] = true
	}
	return nil
}

// size is the bytes of all keys and values.
func (t Txn) size() int {
	n := 0
	for _, p := range t.Put {
		n += len(p.Key) + len(p.Value)
	}
	for _, k := range t.Delete {
		n += len(k)
	}
	for _, c := range t.If {
		n += len(c.Key)
	}
	return n
}
