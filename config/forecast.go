package config

import (
	"math"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// forecast bounds the results of functions that can make much out of little, before they do. It only
// estimates, upward; what it lets through is weighed again as a result.
func (m *meter) forecast(name string, args []cty.Value) error {
	n := m.expected(name, args)
	if n <= 2*maxString {
		return nil
	}
	return m.fail("The result of %s would have about %.3g bytes or elements; a string may have %d bytes and a collection %d elements.", name, n, maxString, maxElements)
}

// The cost of an element of a collection in forecasts, so that one limit serves for both.
const elementForecast = 2 * maxString / maxElements

func (m *meter) expected(name string, args []cty.Value) float64 {
	s := func(i int) string { return textOf(args, i) }
	size := func(i int) float64 { return float64(len(s(i))) }
	switch name {
	case "join":
		return joined(args)
	case "format", "formatlist":
		return formatted(s(0), args)
	case "replace":
		times := float64(strings.Count(s(0), s(1)))
		if strings.HasPrefix(s(1), "/") {
			times = size(0) + 1
		}
		return size(0) + times*(size(2)+float64(strings.Count(s(2), "$"))*size(0))
	case "indent":
		return size(1) + float64(strings.Count(s(1), "\n"))*math.Abs(numberOf(args, 0))
	case "split":
		return size(1) + elementForecast*float64(strings.Count(s(1), s(0)))
	case "regexall":
		if len(s(1)) > 64<<10 {
			return math.Inf(1)
		}
	case "setproduct":
		n := 1.0
		for _, a := range args {
			n *= float64(lengthOf(a))
		}
		return n * elementForecast
	case "chunklist", "cidrsubnets", "matchkeys", "setsubtract", "setunion", "setintersection":
		return m.pairs(name, args)
	case "parseint":
		if size(0) > maxIdentifier {
			return math.Inf(1)
		}
	case "jsondecode":
		if scanJSON([]byte(s(0))) != nil {
			return math.Inf(1)
		}
	case "csvdecode":
		return elementForecast / 8 * float64(strings.Count(s(0), ",")+strings.Count(s(0), "\n"))
	case "tonumber":
		if size(0) > maxIdentifier || hugeExponent(s(0)) {
			return math.Inf(1)
		}
	}
	return 0
}

// pairs bounds functions that compare each element of one list with each of another.
func (m *meter) pairs(name string, args []cty.Value) float64 {
	if name == "matchkeys" && len(args) == 3 {
		if float64(lengthOf(args[1]))*float64(lengthOf(args[2])) > 10e6 {
			return math.Inf(1)
		}
	}
	return 0
}

func joined(args []cty.Value) float64 {
	sep, n := float64(len(textOf(args, 0))), 0.0
	for _, l := range args[min(1, len(args)):] {
		n += float64(lengthOf(l)) * sep
		n += float64(textSize(l))
	}
	return n
}

// formatted bounds format: each verb shows one argument, padded to at most the largest number in the format.
func formatted(f string, args []cty.Value) float64 {
	widest, largest := 0.0, 0.0
	for i := 0; i < len(f); i++ {
		n := 0.0
		for i < len(f) && f[i] >= '0' && f[i] <= '9' {
			n = n*10 + float64(f[i]-'0')
			i++
		}
		widest = max(widest, n)
	}
	lists := 1.0
	for _, a := range args[min(1, len(args)):] {
		largest = max(largest, float64(textSize(a)))
		lists = max(lists, float64(lengthOf(a)))
	}
	if widest > maxString {
		return math.Inf(1)
	}
	return float64(len(f)) + float64(strings.Count(f, "%"))*(widest+largest)*1 + lists
}

func textOf(args []cty.Value, i int) string {
	if i >= len(args) {
		return ""
	}
	v, _ := args[i].Unmark()
	if !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

func numberOf(args []cty.Value, i int) float64 {
	if i >= len(args) {
		return 0
	}
	v, _ := args[i].Unmark()
	if !v.IsKnown() || v.IsNull() || v.Type() != cty.Number {
		return 0
	}
	f, _ := v.AsBigFloat().Float64()
	return f
}

func lengthOf(v cty.Value) int {
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return 0
	}
	return v.LengthInt()
}

// textSize is the size of a value written out, roughly and upward. Weighing has bounded its elements.
func textSize(v cty.Value) int {
	v, _ = v.Unmark()
	switch {
	case !v.IsKnown() || v.IsNull():
		return 4
	case v.Type() == cty.String:
		return len(v.AsString()) + 2
	case v.Type() == cty.Number:
		return 2 + max(v.AsBigFloat().MantExp(nil), 0)/3 + 20
	case !v.CanIterateElements():
		return 8
	}
	n := 2
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if k.Type() == cty.String && k.IsKnown() {
			k, _ = k.Unmark()
			n += len(k.AsString()) + 4
		}
		n += textSize(e) + 1
	}
	return n
}
