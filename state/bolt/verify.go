package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The parts of bbolt's file format that verification reads: https://github.com/etcd-io/bbolt, internal/common,
// version 2 of the format. Numbers are in the machine's own order.
const (
	pageHeader    = 16
	elementSize   = 16
	metaSize      = 64
	bucketHeader  = 16
	flagBranch    = 0x01
	flagLeaf      = 0x02
	flagFreelist  = 0x10
	elementBucket = 0x01
	boltMagic     = 0xED0CDAED
	boltVersion   = 2
	minPage       = 1 << 10
	maxPage       = 1 << 16
	noFreelist    = 1<<64 - 1
	maxDepth      = 64
)

// meta is one of the two meta pages: the last transaction's or the one before.
type meta struct {
	page     int // size of a page
	root     uint64
	freelist uint64
	pages    uint64 // in use, from the start of the file
	txid     uint64
}

// metas are the bytes of both meta pages. They change with every transaction, so a file with the same
// metas is the same file.
type metas [2 * metaSize]byte

// parseMeta reads a meta page; ok is false where it is not a valid one.
func parseMeta(b []byte) (m meta, ok bool) {
	if len(b) < pageHeader+metaSize {
		return m, false
	}
	b = b[pageHeader:]
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	if u32(b) != boltMagic || u32(b[4:]) != boltVersion || u64(b[56:]) != sum.Sum64() {
		return m, false
	}
	m = meta{page: int(u32(b[8:])), root: u64(b[16:]), freelist: u64(b[32:]), pages: u64(b[40:]), txid: u64(b[48:])}
	return m, m.page >= minPage && m.page <= maxPage && m.page&(m.page-1) == 0
}

// readMetas returns the meta page that counts, and the bytes of both.
func readMetas(f io.ReaderAt, size int64) (m meta, raw metas, err error) {
	if size == 0 {
		return m, raw, errors.New("the file is empty")
	}
	first, ok0 := metaAt(f, 0)
	page := first.page
	second, ok1 := meta{}, false
	for p := minPage; p <= maxPage && !ok1; p *= 2 {
		if !ok0 || p == page {
			second, ok1 = metaAt(f, int64(p))
			ok1 = ok1 && second.page == p
		}
	}
	switch {
	case ok1 && (!ok0 || second.txid > first.txid):
		m = second
	case ok0:
		m = first
	default:
		return m, raw, errors.New("it does not begin as a state file does")
	}
	for i := range 2 {
		if _, err := f.ReadAt(raw[i*metaSize:(i+1)*metaSize], int64(i*m.page+pageHeader)); err != nil {
			return m, raw, fmt.Errorf("cut short: %d bytes", size)
		}
	}
	if m.pages < 4 || m.pages > 1<<40 || int64(m.pages)*int64(m.page) > size {
		return m, raw, fmt.Errorf("cut short: %d bytes, %d pages of %d are in use", size, m.pages, m.page)
	}
	return m, raw, nil
}

func metaAt(f io.ReaderAt, off int64) (meta, bool) {
	var b [pageHeader + metaSize]byte
	if _, err := f.ReadAt(b[:], off); err != nil {
		return meta{}, false
	}
	return parseMeta(b[:])
}

// image is the whole file in memory, while it is verified.
type image struct {
	meta
	raw   metas
	bytes []byte
	used  []bool // by page: reached from the root, or free
	head  head
	sum   uint64
	count uint64
	gone  uint64
}

// readImage reads the file and verifies it: the structure, so that nothing in it can lead bbolt outside
// of it or in circles; and every checksum, their number and their sum. An error that is no ErrNewer and
// not the disk's says what is damaged.
func readImage(f *os.File) (*image, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, damage("not a file")
	}
	m, raw, err := readMetas(f, info.Size())
	if err != nil {
		return nil, damage("%w", err)
	}
	im := &image{meta: m, raw: raw, bytes: make([]byte, int(m.pages)*m.page), used: make([]bool, m.pages)}
	if _, err := f.ReadAt(im.bytes, 0); err != nil {
		return nil, err
	}
	return im, im.verify()
}

// errDamage is what damage makes; the caller adds the path.
type errDamage struct{ error }

func (e errDamage) Unwrap() error { return e.error }

func damage(format string, args ...any) error { return errDamage{fmt.Errorf(format, args...)} }

// verify checks everything.
func (im *image) verify() error {
	im.used[0], im.used[1] = true, true
	found := false
	err := im.walk(im.root, 0, func(flags uint32, key, value []byte) error {
		if flags&elementBucket == 0 {
			return damage("a record outside of a bucket")
		}
		visit := im.visitor(string(key))
		found = found || string(key) == bucketHead
		return im.bucket(value, visit)
	})
	if err != nil {
		return err
	}
	if !found {
		return damage("another program's database")
	}
	if im.count != im.head.count || im.gone != im.head.gone || im.sum != im.head.sum {
		return damage("%d records and %d deletions, or not the right ones; %d and %d were written", im.count, im.gone, im.head.count, im.head.gone)
	}
	return im.free()
}

type visitor func(flags uint32, key, value []byte) error

// visitor returns what checks the elements of a bucket.
func (im *image) visitor(bucket string) visitor {
	return func(flags uint32, key, value []byte) (err error) {
		if flags != 0 {
			return damage("a bucket within bucket %.40q", bucket)
		}
		switch bucket {
		case bucketHead:
			im.head, err = decodeHead(value)
		case bucketRecords:
			_, _, err = decodeRecord(key, value)
			im.count++
		case bucketGone:
			_, _, err = decodeGone(key, value)
			im.gone++
		default:
			return damage("an unknown bucket %.40q", bucket)
		}
		if err != nil {
			return damage("%w", err)
		}
		if bucket != bucketHead {
			im.sum += uint64(stored(value))
		}
		return nil
	}
}

// bucket walks a bucket, which is a tree of pages of its own or a small page within its value.
func (im *image) bucket(value []byte, visit visitor) error {
	if len(value) < bucketHeader {
		return damage("a bucket of %d bytes", len(value))
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return im.walk(root, 0, visit)
	}
	p := value[bucketHeader:]
	if len(p) < pageHeader || binary.NativeEndian.Uint16(p[8:]) != flagLeaf {
		return damage("a bucket without a page")
	}
	return elements(p, visit)
}

// walk visits the leaves below a page.
func (im *image) walk(id uint64, depth int, visit visitor) error {
	p, err := im.take(id)
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return damage("page %d is nested too deep", id)
	}
	switch flags := binary.NativeEndian.Uint16(p[8:]); flags {
	case flagLeaf:
		err = elements(p, visit)
	case flagBranch:
		err = im.children(p, depth, visit)
	default:
		err = damage("flags %#x", flags)
	}
	if err != nil && depth == 0 {
		return fmt.Errorf("below page %d: %w", id, err)
	}
	return err
}

// take returns a page with those that follow it, and notes that they are used.
func (im *image) take(id uint64) ([]byte, error) {
	if id < 2 || id >= im.pages {
		return nil, damage("page %d is out of range", id)
	}
	p := im.bytes[int(id)*im.page:]
	more := uint64(binary.NativeEndian.Uint32(p[12:]))
	if got := binary.NativeEndian.Uint64(p); got != id || more >= im.pages-id {
		return nil, damage("page %d says that it is page %d and %d more", id, got, more)
	}
	for i := id; i <= id+more; i++ {
		if im.used[i] {
			return nil, damage("page %d is used twice", i)
		}
		im.used[i] = true
	}
	return p[:int(more+1)*im.page], nil
}

// elements visits the elements of a leaf page.
func elements(p []byte, visit visitor) error {
	var last []byte
	for i := range int(binary.NativeEndian.Uint16(p[10:])) {
		off := pageHeader + i*elementSize
		if off+elementSize > len(p) {
			return damage("more elements than fit their page")
		}
		e := p[off:]
		pos, ksize, vsize := uint64(u32(e[4:])), uint64(u32(e[8:])), uint64(u32(e[12:]))
		if ksize == 0 || pos+ksize+vsize > uint64(len(e)) {
			return damage("an element beyond its page")
		}
		key := e[pos : pos+ksize]
		if last != nil && string(last) >= string(key) {
			return damage("keys out of order")
		}
		last = key
		if err := visit(u32(e), key, e[pos+ksize:pos+ksize+vsize]); err != nil {
			return err
		}
	}
	return nil
}

func u32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }

// children walks the pages below a branch page. That the keys of a child lie between those of its branch is
// checked too: bbolt finds nothing by a branch that points wrong.
func (im *image) children(p []byte, depth int, visit visitor) error {
	n := int(binary.NativeEndian.Uint16(p[10:]))
	if n == 0 || pageHeader+n*elementSize > len(p) {
		return damage("a branch of %d elements", n)
	}
	branchKey := func(i int) ([]byte, error) {
		e := p[pageHeader+i*elementSize:]
		pos, ksize := uint64(u32(e)), uint64(u32(e[4:]))
		if ksize == 0 || pos+ksize > uint64(len(e)) {
			return nil, damage("a branch element beyond its page")
		}
		return e[pos : pos+ksize], nil
	}
	low, err := branchKey(0)
	for i := range n {
		var high []byte
		if err == nil && i+1 < n {
			high, err = branchKey(i + 1)
		}
		if err != nil {
			return err
		}
		if high != nil && string(high) <= string(low) {
			return damage("branch keys out of order")
		}
		child := binary.NativeEndian.Uint64(p[pageHeader+i*elementSize+8:])
		err := im.walk(child, depth+1, func(flags uint32, key, value []byte) error {
			if string(key) < string(low) || high != nil && string(key) >= string(high) {
				return damage("a key on the wrong page")
			}
			return visit(flags, key, value)
		})
		if err != nil {
			return err
		}
		low = high
	}
	return nil
}

// free checks the list of free pages: bbolt would write over a page that is listed wrongly.
func (im *image) free() error {
	if im.freelist == noFreelist {
		return nil
	}
	p, err := im.take(im.freelist)
	if err != nil {
		return fmt.Errorf("list of free pages: %w", err)
	}
	if flags := binary.NativeEndian.Uint16(p[8:]); flags != flagFreelist {
		return damage("list of free pages: flags %#x", flags)
	}
	n, ids := uint64(binary.NativeEndian.Uint16(p[10:])), p[pageHeader:]
	if n == 0xFFFF {
		n, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		return damage("list of free pages: %d do not fit", n)
	}
	for i := range n {
		id := binary.NativeEndian.Uint64(ids[8*i:])
		if id < 2 || id >= im.pages || im.used[id] {
			return damage("list of free pages: page %d is used, listed twice or out of range", id)
		}
		im.used[id] = true
	}
	return nil
}
