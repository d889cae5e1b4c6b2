package ssh

import (
	"slices"

	gossh "golang.org/x/crypto/ssh"
)

// algorithms is what is offered for key exchange, encryption and integrity: what
// the library deems sound, less what is only kept for old servers. Every OpenSSH
// since 6.7 (2014) has something in common with it.
func algorithms() gossh.Config {
	supported := gossh.SupportedAlgorithms()
	return gossh.Config{
		KeyExchanges: supported.KeyExchanges,
		Ciphers:      supported.Ciphers,
		MACs:         slices.DeleteFunc(supported.MACs, func(a string) bool { return a == gossh.HMACSHA1 }),
	}
}

// plainHostKeys is the order in which host keys are asked for when nothing is
// known: OpenSSH's, so that the fingerprint shown is the one a person sees when
// typing ssh. No SHA-1, no DSA.
func plainHostKeys() []string {
	return []string{
		gossh.KeyAlgoED25519,
		gossh.KeyAlgoECDSA256, gossh.KeyAlgoECDSA384, gossh.KeyAlgoECDSA521,
		gossh.KeyAlgoRSASHA512, gossh.KeyAlgoRSASHA256,
	}
}

// signatureAlgorithms is how a key of the given type may sign: RSA with SHA-2 only.
func signatureAlgorithms(keyType string) []string {
	if keyType == gossh.KeyAlgoRSA {
		return []string{gossh.KeyAlgoRSASHA512, gossh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// minRSABits is OpenSSH's RequiredRSASize as distributions set it.
const minRSABits = 2048
