package plan

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// A saved plan is, one after the other:
//
//	magic    "stowage-plan\n"
//	version  uint16, big endian: Format
//	length   uint32, big endian, of the header
//	header   JSON: the Header, readable without a key
//	body     gzip of the plan's JSON
//	sum      HMAC-SHA256 of all before it, keyed with the fleet's seal key
//
// The sum makes a cut-off or altered file known before anything in it is believed. Sealed values in the plan are
// fingerprints, so the file needs to be kept from being changed, not from being read.
const magic = "stowage-plan\n"

// Limits against files that are made to hurt. A plan of 10,000 new replicas is some 15 MB of JSON.
const (
	maxHeader  = 64 << 10
	maxDecoded = 256 << 20
)

// The classes of what can be wrong with a saved plan, for errors.Is.
var (
	ErrDamaged = errors.New("the plan file is damaged, or was altered")
	ErrForeign = errors.New("the plan is of another fleet")
	ErrNewer   = errors.New("the plan was made by a newer version")
	ErrTooBig  = errors.New("the plan is too large to be saved")
)

// Header is what can be read of a saved plan without its fleet's key. It is not to be believed before Decode.
type Header struct {
	Format  int        `json:"format"`
	ID      string     `json:"id"`
	Tool    string     `json:"tool"`
	Fleet   fleet.ID   `json:"fleet"`
	Name    fleet.Name `json:"name"`
	Created time.Time  `json:"created"`
}

// Encode makes the bytes of a saved plan, sealed with the fleet's key. Equal plans give equal bytes.
func Encode(p *Plan, key []byte) ([]byte, error) {
	head, err := json.Marshal(Header{Format: p.Format, ID: p.ID, Tool: p.Tool, Fleet: p.Fleet, Name: p.Name, Created: p.Created})
	if err != nil {
		return nil, fmt.Errorf("encode plan %s: %w", p.ID, err)
	}
	var b bytes.Buffer
	b.WriteString(magic)
	b.Write(binary.BigEndian.AppendUint16(nil, Format))
	b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(head))))
	b.Write(head)
	z := gzip.NewWriter(&b)
	n := &counter{w: z}
	if err := json.NewEncoder(n).Encode(p); err != nil {
		return nil, fmt.Errorf("encode plan %s: %w", p.ID, err)
	}
	if n.n > maxDecoded || len(head) > maxHeader {
		return nil, fmt.Errorf("encode plan %s: %w: %d MiB, at most %d are allowed", p.ID, ErrTooBig, n.n>>20, maxDecoded>>20)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("encode plan %s: %w", p.ID, err)
	}
	b.Write(sum(b.Bytes(), key))
	return b.Bytes(), nil
}

// Peek reads a saved plan's header: whose it is, before its key is looked for. ErrDamaged, ErrNewer.
func Peek(b []byte) (Header, error) {
	h, _, err := split(b)
	return h, err
}

// Decode reads a saved plan. ErrDamaged: it was cut off, altered, or sealed with another key; where Peek shows
// another fleet, that is why. ErrNewer: a later version made it.
func Decode(b []byte, key []byte) (*Plan, error) {
	h, body, err := split(b)
	if err != nil {
		return nil, err
	}
	at := len(b) - sha256.Size
	if !hmac.Equal(sum(b[:at], key), b[at:]) {
		return nil, fmt.Errorf("%w: its checksum does not fit", ErrDamaged)
	}
	text, err := unpack(body)
	if err != nil {
		return nil, err
	}
	p := &Plan{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, damaged("its body is not a plan", err)
	}
	if p.Format != h.Format || p.ID != h.ID || p.Fleet != h.Fleet {
		return nil, fmt.Errorf("%w: its header is another plan's", ErrDamaged)
	}
	return p, p.sound()
}

// PeekVariables reads the variables that a saved plan was evaluated with: what the configuration has to be given to become
// the plan's again. Like the header they are not to be believed before Decode.
func PeekVariables(b []byte) (map[string]json.RawMessage, error) {
	_, body, err := split(b)
	if err != nil {
		return nil, err
	}
	text, err := unpack(body)
	if err != nil {
		return nil, err
	}
	var p struct {
		Variables map[string]json.RawMessage `json:"variables"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, damaged("its body is not a plan", err)
	}
	return p.Variables, nil
}

// unpack returns the body's text, if it is not too long.
func unpack(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, damaged("its body cannot be unpacked", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxDecoded+1))
	if err != nil {
		return nil, damaged("its body cannot be unpacked", err)
	}
	if len(text) > maxDecoded {
		return nil, fmt.Errorf("%w: it unpacks to more than %d MiB", ErrDamaged, maxDecoded>>20)
	}
	return text, nil
}

// split takes a saved plan apart, and checks what can be checked without the key.
func split(b []byte) (h Header, body []byte, err error) {
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return h, nil, fmt.Errorf("%w: it is not a saved plan", ErrDamaged)
	}
	if len(rest) < 2 {
		return h, nil, fmt.Errorf("%w: it is cut off", ErrDamaged)
	}
	if v := binary.BigEndian.Uint16(rest); v > Format {
		return h, nil, fmt.Errorf("%w: it has format %d, this version reads %d", ErrNewer, v, Format)
	} else if v != Format {
		return h, nil, fmt.Errorf("%w: it has format %d", ErrDamaged, v)
	}
	if rest = rest[2:]; len(rest) < 4 {
		return h, nil, fmt.Errorf("%w: it is cut off", ErrDamaged)
	}
	n := binary.BigEndian.Uint32(rest)
	if rest = rest[4:]; n > maxHeader || int(n)+sha256.Size > len(rest) {
		return h, nil, fmt.Errorf("%w: it is cut off", ErrDamaged)
	}
	if err := json.Unmarshal(rest[:n], &h); err != nil {
		return h, nil, damaged("its header cannot be read", err)
	}
	return h, rest[n : len(rest)-sha256.Size], nil
}

// sound checks what apply counts on: that steps are numbered and need only those before them.
func (p *Plan) sound() error {
	for i := range p.Steps {
		if p.Steps[i].ID != i {
			return fmt.Errorf("%w: step %d has the number %d", ErrDamaged, i, p.Steps[i].ID)
		}
		for _, n := range p.Steps[i].Needs {
			if n < 0 || n >= i {
				return fmt.Errorf("%w: step %d needs step %d", ErrDamaged, i, n)
			}
		}
	}
	return nil
}

func damaged(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrDamaged, what, err)
}

func sum(b, key []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(b)
	return m.Sum(nil)
}

// counter counts what passes through it.
type counter struct {
	w io.Writer
	n int
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += n
	return n, err
}
