package config

import (
	"errors"
	"time"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, errors.New("a time is written like 2026-01-02T15:04:05Z")
	}
	return t, nil
}

func collectionFuncs() map[string]function.Function {
	return map[string]function.Function{
		"chunklist": asCollections(stdlib.ChunklistFunc), "coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc,
		"contains": stdlib.ContainsFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc, "keys": stdlib.KeysFunc,
		"merge": stdlib.MergeFunc, "range": stdlib.RangeFunc, "reverse": stdlib.ReverseListFunc,
		"setintersection": asCollections(stdlib.SetIntersectionFunc), "setproduct": asCollections(stdlib.SetProductFunc), "setsubtract": asCollections(stdlib.SetSubtractFunc),
		"setunion": asCollections(stdlib.SetUnionFunc), "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
		"alltrue": boolsFunc(true), "anytrue": boolsFunc(false), "coalesce": coalesceFunc(), "distinct": distinctFunc(), "index": indexFunc(),
		"length": lengthFunc(), "lookup": lookupFunc(), "matchkeys": matchkeysFunc(), "one": oneFunc(), "sum": sumFunc(), "transpose": transposeFunc(),
	}
}

// dynamicResult is the Type of a function whose result's type depends on its values.
func dynamicResult(impl func(args []cty.Value) (cty.Value, error)) function.TypeFunc {
	return func(args []cty.Value) (cty.Type, error) {
		for _, a := range args {
			if !a.IsWhollyKnown() {
				return cty.DynamicPseudoType, nil
			}
		}
		v, err := impl(args)
		if err != nil {
			return cty.NilType, err
		}
		return v.Type(), nil
	}
}

// byValue makes a function whose result may be of any type.
func byValue(impl func(args []cty.Value) (cty.Value, error), params ...function.Parameter) function.Function {
	return function.New(&function.Spec{
		Params: params,
		Type:   dynamicResult(impl),
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return impl(args) },
	})
}

// boolsFunc is alltrue for want = true and anytrue for want = false: whether no element, or some, differs
// from want's opposite.
func boolsFunc(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				if !v.IsKnown() {
					return cty.UnknownVal(cty.Bool), nil
				}
				if yes := !v.IsNull() && v.True(); yes != all {
					return cty.BoolVal(!all), nil
				}
			}
			return cty.BoolVal(all), nil
		},
	})
}

// coalesceFunc returns the first argument that is neither null nor an empty string.
func coalesceFunc() function.Function {
	p := anyParam("vals")
	p.AllowNull = true
	return function.New(&function.Spec{
		VarParam: &p,
		Type: func(args []cty.Value) (cty.Type, error) {
			types := make([]cty.Type, len(args))
			for i, a := range args {
				types[i] = a.Type()
			}
			ty, _ := convert.Unify(types)
			if ty == cty.NilType {
				return cty.NilType, errors.New("all arguments must be of one type")
			}
			return ty, nil
		},
		Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
			for _, a := range args {
				v, err := convert.Convert(a, ty)
				if err != nil {
					return cty.NilVal, err
				}
				if !v.IsKnown() {
					return cty.UnknownVal(ty), nil
				}
				if !v.IsNull() && (v.Type() != cty.String || v.AsString() != "") {
					return v, nil
				}
			}
			return cty.NilVal, errors.New("every argument is null or an empty string")
		},
	})
}

// distinctFunc drops repetitions. The library's compares each element with each, which takes seconds for
// ten thousand; here a set finds them.
func distinctFunc() function.Function {
	return collectionOf(func(vals []cty.Value, ty cty.Type) cty.Value {
		seen := cty.NewValueSet(ty)
		var out []cty.Value
		for _, v := range vals {
			if !seen.Has(v) {
				seen.Add(v)
				out = append(out, v)
			}
		}
		return listVal(out, ty)
	}, cty.List)
}

// indexFunc finds the position of a value in a list.
func indexFunc() function.Function {
	return byValue(func(args []cty.Value) (cty.Value, error) {
		vals, err := elements(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		for i, v := range vals {
			if eq, err := stdlib.Equal(v, args[1]); err == nil && eq.IsKnown() && eq.True() {
				return cty.NumberIntVal(int64(i)), nil
			}
		}
		return cty.NilVal, errors.New("the value is not in the list")
	}, anyParam("list"), anyParam("value"))
}

func lengthFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true, AllowMarked: true}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			// The length of a list with a sensitive element is no secret; that of a sensitive list is.
			v, marks := args[0].Unmark()
			switch ty := v.Type(); {
			case ty.IsTupleType():
				return cty.NumberIntVal(int64(ty.Length())).WithMarks(marks), nil
			case ty.IsObjectType():
				return cty.NumberIntVal(int64(len(ty.AttributeTypes()))).WithMarks(marks), nil
			case !v.IsKnown():
				return cty.UnknownVal(cty.Number).WithMarks(marks), nil
			case ty == cty.String:
				return cty.NumberIntVal(int64(utf8.RuneCountInString(v.AsString()))).WithMarks(marks), nil
			case ty.IsCollectionType():
				return v.Length().WithMarks(marks), nil
			}
			return cty.NilVal, errors.New("a string or a collection is wanted")
		},
	})
}

func lookupFunc() function.Function {
	def := anyParam("default")
	def.AllowNull = true
	impl := func(args []cty.Value) (cty.Value, error) {
		m, key := args[0], args[1].AsString()
		switch ty := m.Type(); {
		case ty.IsObjectType() && ty.HasAttribute(key):
			return m.GetAttr(key), nil
		case ty.IsMapType() && m.HasIndex(args[1]).True():
			return m.Index(args[1]), nil
		case !ty.IsObjectType() && !ty.IsMapType():
			return cty.NilVal, errors.New("a map is wanted")
		case len(args) == 3 && ty.IsMapType():
			return convert.Convert(args[2], ty.ElementType())
		case len(args) == 3:
			return args[2], nil
		}
		return cty.NilVal, errors.New("there is no such key, and no default is given")
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{anyParam("map"), {Name: "key", Type: cty.String}}, VarParam: &def,
		Type: func(args []cty.Value) (cty.Type, error) {
			if len(args) > 3 {
				return cty.NilType, errors.New("lookup takes a map, a key and a default")
			}
			return dynamicResult(impl)(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsKnown() || !args[1].IsKnown() {
				return cty.DynamicVal, nil
			}
			return impl(args)
		},
	})
}

// matchkeysFunc keeps the values whose key at the same place is among those searched for.
func matchkeysFunc() function.Function {
	return byValue(func(args []cty.Value) (cty.Value, error) {
		vals, err := elements(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		keys, err := elements(args[1])
		if err != nil {
			return cty.NilVal, err
		}
		search, err := elements(args[2])
		if err != nil {
			return cty.NilVal, err
		}
		if len(vals) != len(keys) {
			return cty.NilVal, errors.New("values and keys must be of one length")
		}
		var out []cty.Value
		for i, k := range keys {
			for _, s := range search {
				if eq, err := stdlib.Equal(k, s); err == nil && eq.IsKnown() && eq.True() {
					out = append(out, vals[i])
					break
				}
			}
		}
		if len(out) == 0 {
			return cty.ListValEmpty(cty.DynamicPseudoType), nil
		}
		found, ty, err := unified(cty.TupleVal(out))
		return listVal(found, ty), err
	}, anyParam("values"), anyParam("keys"), anyParam("searchset"))
}

func oneFunc() function.Function {
	return byValue(func(args []cty.Value) (cty.Value, error) {
		vals, err := elements(args[0])
		switch {
		case err != nil:
			return cty.NilVal, err
		case len(vals) == 0:
			return cty.NullVal(cty.DynamicPseudoType), nil
		case len(vals) > 1:
			return cty.NilVal, errors.New("the list has more than one element")
		}
		return vals[0], nil
	}, anyParam("list"))
}

func sumFunc() function.Function {
	return byValue(func(args []cty.Value) (cty.Value, error) {
		vals, err := elements(args[0])
		if err != nil || len(vals) == 0 {
			return cty.NilVal, errors.New("a list of at least one number is wanted")
		}
		total := cty.Zero
		for _, v := range vals {
			n, err := convert.Convert(v, cty.Number)
			if err != nil || n.IsNull() {
				return cty.NilVal, errors.New("every element must be a number")
			}
			total = total.Add(n)
		}
		return total, nil
	}, anyParam("list"))
}

// transposeFunc turns a map of lists of strings around.
func transposeFunc() function.Function {
	ty := cty.Map(cty.List(cty.String))
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "values", Type: ty}},
		Type:   function.StaticReturnType(ty),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(ty), nil
			}
			out := map[string][]cty.Value{}
			for it := args[0].ElementIterator(); it.Next(); {
				k, list := it.Element()
				if list.IsNull() {
					return cty.NilVal, errors.New("a list is null")
				}
				for in := list.ElementIterator(); in.Next(); {
					_, v := in.Element()
					if v.IsNull() {
						return cty.NilVal, errors.New("an element is null")
					}
					out[v.AsString()] = append(out[v.AsString()], k)
				}
			}
			if len(out) == 0 {
				return cty.MapValEmpty(cty.List(cty.String)), nil
			}
			vals := map[string]cty.Value{}
			for k, v := range out {
				vals[k] = cty.ListVal(v)
			}
			return cty.MapVal(vals), nil
		},
	})
}
