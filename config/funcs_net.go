package config

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// netFuncs works with IP prefixes.
func netFuncs() map[string]function.Function {
	str := func(n string) function.Parameter { return function.Parameter{Name: n, Type: cty.String} }
	num := func(n string) function.Parameter { return function.Parameter{Name: n, Type: cty.Number} }
	stringOf := func(f func(a []cty.Value) (string, error), params ...function.Parameter) function.Function {
		return function.New(&function.Spec{Params: params, Type: function.StaticReturnType(cty.String),
			Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
				s, err := f(a)
				if err != nil {
					return cty.UnknownVal(cty.String), err
				}
				return cty.StringVal(s), nil
			}})
	}
	return map[string]function.Function{
		"cidrhost":    stringOf(func(a []cty.Value) (string, error) { return cidrHost(a[0].AsString(), a[1].AsBigFloat()) }, str("prefix"), num("hostnum")),
		"cidrnetmask": stringOf(func(a []cty.Value) (string, error) { return cidrNetmask(a[0].AsString()) }, str("prefix")),
		"cidrsubnet": stringOf(func(a []cty.Value) (string, error) {
			return cidrSubnet(a[0].AsString(), a[1].AsBigFloat(), a[2].AsBigFloat())
		}, str("prefix"), num("newbits"), num("netnum")),
		"cidrsubnets":  cidrSubnetsFunc(),
		"cidrcontains": cidrContainsFunc(),
	}
}

func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is not an IP prefix such as 10.0.0.0/16", s)
	}
	return p.Masked(), nil
}

// whole reads a whole number.
func whole(f *big.Float) (*big.Int, error) {
	i, acc := f.Int(nil)
	if acc != big.Exact {
		return nil, errors.New("a whole number is wanted")
	}
	return i, nil
}

// addTo returns the address n above the prefix's first.
func addTo(p netip.Prefix, n *big.Int) (netip.Addr, error) {
	raw := p.Addr().AsSlice()
	sum := new(big.Int).Add(new(big.Int).SetBytes(raw), n)
	if sum.Sign() < 0 || sum.BitLen() > len(raw)*8 {
		return netip.Addr{}, fmt.Errorf("prefix %s has no room for number %s", p, n)
	}
	out, _ := netip.AddrFromSlice(sum.FillBytes(make([]byte, len(raw))))
	return out, nil
}

func cidrHost(prefix string, num *big.Float) (string, error) {
	p, err := parsePrefix(prefix)
	if err != nil {
		return "", err
	}
	n, err := whole(num)
	if err != nil {
		return "", err
	}
	room := new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
	if n.Sign() < 0 {
		n = new(big.Int).Add(room, n) // counted from the end
	}
	if n.Sign() < 0 || n.Cmp(room) >= 0 {
		return "", fmt.Errorf("prefix %s has no host of that number", p)
	}
	a, err := addTo(p, n)
	return a.String(), err
}

func cidrNetmask(prefix string) (string, error) {
	p, err := parsePrefix(prefix)
	if err != nil {
		return "", err
	}
	if !p.Addr().Is4() {
		return "", errors.New("only IPv4 has netmasks")
	}
	mask := ^uint32(0) << (32 - p.Bits())
	if p.Bits() == 0 {
		mask = 0
	}
	return fmt.Sprintf("%d.%d.%d.%d", byte(mask>>24), byte(mask>>16), byte(mask>>8), byte(mask)), nil
}

func cidrSubnet(prefix string, newbits, netnum *big.Float) (string, error) {
	p, err := parsePrefix(prefix)
	if err != nil {
		return "", err
	}
	bits, err := whole(newbits)
	if err != nil {
		return "", err
	}
	n, err := whole(netnum)
	if err != nil {
		return "", err
	}
	if bits.Sign() < 0 || bits.Cmp(big.NewInt(int64(p.Addr().BitLen()-p.Bits()))) > 0 {
		return "", fmt.Errorf("prefix %s cannot be made %s bits longer", p, bits)
	}
	b := int(bits.Int64())
	if n.Sign() < 0 || n.BitLen() > b {
		return "", fmt.Errorf("%d bits have no number %s", b, n)
	}
	long := p.Bits() + b
	a, err := addTo(p, new(big.Int).Lsh(n, uint(p.Addr().BitLen()-long)))
	if err != nil {
		return "", err
	}
	return netip.PrefixFrom(a, long).String(), nil
}

// cidrSubnetsFunc cuts consecutive subnets out of a prefix.
func cidrSubnetsFunc() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "prefix", Type: cty.String}},
		VarParam: &function.Parameter{Name: "newbits", Type: cty.Number},
		Type:     function.StaticReturnType(cty.List(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			p, err := parsePrefix(args[0].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			var out []cty.Value
			next := new(big.Int)
			for _, a := range args[1:] {
				bits, err := whole(a.AsBigFloat())
				if err != nil {
					return cty.NilVal, err
				}
				size := p.Addr().BitLen() - p.Bits()
				if bits.Sign() <= 0 || bits.Cmp(big.NewInt(int64(size))) > 0 {
					return cty.NilVal, fmt.Errorf("prefix %s cannot be made %s bits longer", p, bits)
				}
				step := new(big.Int).Lsh(big.NewInt(1), uint(size-int(bits.Int64())))
				// the next address that is aligned to the subnet
				next.Add(next, new(big.Int).Sub(step, big.NewInt(1)))
				next.Div(next, step).Mul(next, step)
				if new(big.Int).Add(next, step).Cmp(new(big.Int).Lsh(big.NewInt(1), uint(size))) > 0 {
					return cty.NilVal, fmt.Errorf("prefix %s has no room for all of these", p)
				}
				at, err := addTo(p, next)
				if err != nil {
					return cty.NilVal, err
				}
				out = append(out, cty.StringVal(netip.PrefixFrom(at, p.Bits()+int(bits.Int64())).String()))
				next.Add(next, step)
			}
			if len(out) == 0 {
				return cty.ListValEmpty(cty.String), nil
			}
			return cty.ListVal(out), nil
		},
	})
}

func cidrContainsFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "address", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			p, err := parsePrefix(args[0].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			s := args[1].AsString()
			if a, err := netip.ParseAddr(s); err == nil {
				return cty.BoolVal(p.Contains(a)), nil
			}
			q, err := parsePrefix(s)
			if err != nil {
				return cty.NilVal, err
			}
			return cty.BoolVal(p.Contains(q.Addr()) && q.Bits() >= p.Bits()), nil
		},
	})
}
