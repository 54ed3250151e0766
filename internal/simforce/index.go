package simforce

import (
	"cmp"
	"sort"
	"strings"
)

// key orders records: by stamp in whole seconds, then by Id bytewise. The Id
// index uses the same type with stamp 0 throughout.
type key struct {
	stamp int64
	id    string
}

func (k key) less(o key) bool {
	if k.stamp != o.stamp {
		return k.stamp < o.stamp
	}
	return k.id < o.id
}

// compare is less for sorting.
func (k key) compare(o key) int {
	if c := cmp.Compare(k.stamp, o.stamp); c != 0 {
		return c
	}
	return strings.Compare(k.id, o.id)
}

// blockSize bounds the cost of one insert: a block is shifted, never the whole
// index.
const blockSize = 512

// index is a sorted set of keys in blocks. Inserting and removing cost the
// shift of one block; seeking is two binary searches.
type index struct {
	blocks [][]key
	n      int
}

// indexOf builds an index of sorted keys.
func indexOf(keys []key) index {
	x := index{n: len(keys)}
	for len(keys) > 0 {
		n := min(len(keys), blockSize/2)
		x.blocks = append(x.blocks, append(make([]key, 0, blockSize), keys[:n]...))
		keys = keys[n:]
	}
	return x
}

// block returns the position of the block that holds k or would hold it.
func (x *index) block(k key) int {
	b := sort.Search(len(x.blocks), func(i int) bool { return k.less(x.blocks[i][0]) })
	return max(b-1, 0)
}

func (x *index) add(k key) {
	if len(x.blocks) == 0 {
		x.blocks = [][]key{{k}}
		x.n = 1
		return
	}
	b := x.block(k)
	block := x.blocks[b]
	i := sort.Search(len(block), func(i int) bool { return !block[i].less(k) })
	if i < len(block) && block[i] == k {
		return
	}
	block = append(block, key{})
	copy(block[i+1:], block[i:])
	block[i] = k
	x.blocks[b] = block
	x.n++
	if len(block) < blockSize {
		return
	}
	half := len(block) / 2
	right := append(make([]key, 0, blockSize), block[half:]...)
	x.blocks[b] = block[:half:half]
	x.blocks = append(x.blocks, nil)
	copy(x.blocks[b+2:], x.blocks[b+1:])
	x.blocks[b+1] = right
}

func (x *index) remove(k key) {
	if len(x.blocks) == 0 {
		return
	}
	b := x.block(k)
	block := x.blocks[b]
	i := sort.Search(len(block), func(i int) bool { return !block[i].less(k) })
	if i == len(block) || block[i] != k {
		return
	}
	x.n--
	if len(block) == 1 {
		x.blocks = append(x.blocks[:b], x.blocks[b+1:]...)
		return
	}
	x.blocks[b] = append(block[:i], block[i+1:]...)
}

// walk calls visit for every key in lo <= k <= hi in order until it returns
// false.
func (x *index) walk(lo, hi key, visit func(key) bool) {
	if len(x.blocks) == 0 {
		return
	}
	b := x.block(lo)
	i := sort.Search(len(x.blocks[b]), func(i int) bool { return !x.blocks[b][i].less(lo) })
	for ; b < len(x.blocks); b, i = b+1, 0 {
		for _, k := range x.blocks[b][i:] {
			if hi.less(k) || !visit(k) {
				return
			}
		}
	}
}

// walkBack is walk from hi down to lo.
func (x *index) walkBack(lo, hi key, visit func(key) bool) {
	if len(x.blocks) == 0 {
		return
	}
	b := x.block(hi)
	i := sort.Search(len(x.blocks[b]), func(i int) bool { return hi.less(x.blocks[b][i]) })
	for {
		for j := i - 1; j >= 0; j-- {
			k := x.blocks[b][j]
			if k.less(lo) || !visit(k) {
				return
			}
		}
		b--
		if b < 0 {
			return
		}
		i = len(x.blocks[b])
	}
}

// count says how many keys lie in lo <= k <= hi.
func (x *index) count(lo, hi key) int {
	if len(x.blocks) == 0 || hi.less(lo) {
		return 0
	}
	from, to := x.block(lo), x.block(hi)
	n := 0
	for b := from; b <= to; b++ {
		n += len(x.blocks[b])
	}
	n -= sort.Search(len(x.blocks[from]), func(i int) bool { return !x.blocks[from][i].less(lo) })
	last := x.blocks[to]
	return n - (len(last) - sort.Search(len(last), func(i int) bool { return hi.less(last[i]) }))
}

// at returns the i-th key, 0 <= i < n.
func (x *index) at(i int) key {
	for _, block := range x.blocks {
		if i < len(block) {
			return block[i]
		}
		i -= len(block)
	}
	return key{}
}
