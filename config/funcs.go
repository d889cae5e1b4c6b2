package config

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions is the table of functions, each behind the meter. Names and meanings are Terraform's.
func (c *Config) functions() map[string]function.Function {
	all := map[string]function.Function{}
	for _, table := range []map[string]function.Function{
		numberFuncs(), stringFuncs(), collectionFuncs(), encodingFuncs(), typeFuncs(), netFuncs(), timeFuncs(), c.fileFuncs(),
	} {
		for name, f := range table {
			all[name] = c.meter.metered(name, f)
		}
	}
	// These take their arguments unevaluated; what they evaluate is guarded by itself.
	all["try"], all["can"] = tryfunc.TryFunc, tryfunc.CanFunc
	c.templateFuncs(all)
	for name, f := range outsideFuncs() {
		all[name] = c.meter.metered(name, f)
	}
	return all
}

// metered puts the meter in front of and behind a function. The arguments are weighed as the function sees
// them, so that one that multiplies its input (join, format, replace) can be stopped before it does.
func (m *meter) metered(name string, f function.Function) function.Function {
	before := func(args []cty.Value) error {
		if err := m.step(); err != nil {
			return err
		}
		for _, a := range args {
			w, err := m.weigh(a)
			if err == nil {
				err = m.look(w.text + w.nodes*nodeWork*effort(name))
			}
			if err != nil {
				return err
			}
		}
		if err := m.forecast(name, args); err != nil {
			return err
		}
		return nil
	}
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      f.Params(),
		VarParam:    f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := before(args); err != nil {
				return cty.NilType, err
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f.Call(args)
			if err != nil {
				return v, err
			}
			w, spent := m.weigh(v)
			if spent == nil {
				spent = m.look(w.sorted * sortWork) // what the call expression does with it
			}
			if spent == nil && !returnsArgument(name) {
				spent = m.make(w.bytes())
			}
			if spent != nil {
				return cty.DynamicVal, spent
			}
			return v, nil
		},
	})
}

// effort is how much more than a glance a function spends on an element. Sets were measured at about a
// microsecond an element, most others at a tenth of that.
func effort(name string) int64 {
	switch name {
	case "contains", "lookup", "element", "length", "index", "one", "slice":
		return 1
	case "distinct", "toset", "setunion", "setintersection", "setsubtract", "setproduct":
		return 96
	}
	return 8
}

// returnsArgument reports whether a function's result is a part of its argument, which costs nothing.
func returnsArgument(name string) bool {
	switch name {
	case "element", "lookup", "one", "coalesce", "coalescelist", "sensitive", "nonsensitive", "min", "max", "length", "contains", "index":
		return true
	}
	return false
}

// simple makes a function of strings to a string.
func simple(f func(args []string) (string, error), params ...string) function.Function {
	spec := &function.Spec{Type: function.StaticReturnType(cty.String)}
	for _, p := range params {
		spec.Params = append(spec.Params, function.Parameter{Name: p, Type: cty.String})
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var s []string
		for _, a := range args {
			s = append(s, a.AsString())
		}
		out, err := f(s)
		if err != nil {
			return cty.UnknownVal(cty.String), err
		}
		return cty.StringVal(out), nil
	}
	return function.New(spec)
}

// predicate makes a function of two strings to a bool.
func predicate(f func(a, b string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// refused makes a function that explains why it is not one here.
func refused(why, remedy string) function.Function {
	fail := &remedyError{why, remedy}
	any := &function.Parameter{Name: "args", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true}
	return function.New(&function.Spec{
		VarParam: any,
		Type:     func([]cty.Value) (cty.Type, error) { return cty.NilType, fail },
		Impl:     func([]cty.Value, cty.Type) (cty.Value, error) { return cty.NilVal, fail },
	})
}

func numberFuncs() map[string]function.Function {
	return map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "log": stdlib.LogFunc, "max": stdlib.MaxFunc,
		"min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc, "signum": stdlib.SignumFunc,
	}
}

// typeFuncs converts types and handles marks.
func typeFuncs() map[string]function.Function {
	out := map[string]function.Function{
		"sensitive": markFunc(func(v cty.Value) (cty.Value, error) { return v.Mark(sensitiveMark), nil }),
		"nonsensitive": markFunc(func(v cty.Value) (cty.Value, error) {
			v, _ = v.UnmarkDeep()
			return v, nil
		}),
		"issensitive": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowMarked: true, AllowNull: true, AllowUnknown: true, AllowDynamicType: true}},
			Type:   function.StaticReturnType(cty.Bool),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				return cty.BoolVal(args[0].HasMark(sensitiveMark)), nil
			},
		}),
	}
	for name, ty := range map[string]cty.Type{"tostring": cty.String, "tonumber": cty.Number, "tobool": cty.Bool} {
		out[name] = stdlib.MakeToFunc(ty)
	}
	out["tolist"] = collectionOf(func(v []cty.Value, ty cty.Type) cty.Value { return listVal(v, ty) }, cty.List)
	out["toset"] = collectionOf(func(v []cty.Value, ty cty.Type) cty.Value {
		if len(v) == 0 {
			return cty.SetValEmpty(ty)
		}
		return cty.SetVal(v)
	}, cty.Set)
	out["tomap"] = tomapFunc()
	return out
}

func listVal(v []cty.Value, ty cty.Type) cty.Value {
	if len(v) == 0 {
		return cty.ListValEmpty(ty)
	}
	return cty.ListVal(v)
}

// collectionOf makes tolist and toset. cty's own conversion compares the type of each element of a tuple
// with each other's.
func collectionOf(make func([]cty.Value, cty.Type) cty.Value, of func(cty.Type) cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anyParam("v")},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			ty, err := commonType(args[0])
			return of(ty), err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			vals, ty, err := unified(args[0])
			if err != nil {
				return cty.NilVal, err
			}
			return make(vals, ty), nil
		},
	})
}

func tomapFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anyParam("v")},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			if ty := args[0].Type(); !ty.IsObjectType() && !ty.IsMapType() {
				return cty.NilType, errors.New("a map or object is wanted")
			}
			ty, err := commonType(args[0])
			return cty.Map(ty), err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			vals, ty, err := unified(args[0])
			if err != nil || len(vals) == 0 {
				return cty.MapValEmpty(ty), err
			}
			out, i := map[string]cty.Value{}, 0
			for it := args[0].ElementIterator(); it.Next(); i++ {
				k, _ := it.Element()
				out[k.AsString()] = vals[i]
			}
			return cty.MapVal(out), nil
		},
	})
}

// markFunc makes a function that changes only marks.
func markFunc(f func(cty.Value) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowMarked: true, AllowNull: true, AllowUnknown: true, AllowDynamicType: true}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f(args[0]) },
	})
}

// anyParam is a parameter that takes everything, marks apart: cty takes those off and puts them on the result.
func anyParam(name string) function.Parameter {
	return function.Parameter{Name: name, Type: cty.DynamicPseudoType, AllowDynamicType: true}
}

// elements returns what a list, set, tuple, map or object holds.
func elements(v cty.Value) ([]cty.Value, error) {
	if !v.CanIterateElements() {
		return nil, errors.New("a list is wanted")
	}
	var out []cty.Value
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		out = append(out, e)
	}
	return out, nil
}

// commonType is the type that suits all elements of a value.
func commonType(v cty.Value) (cty.Type, error) {
	if ty := v.Type(); ty.IsCollectionType() {
		return ty.ElementType(), nil
	}
	vals, err := elements(v)
	if err != nil {
		return cty.DynamicPseudoType, err
	}
	var types []cty.Type // without repetitions: Unify takes time quadratic in their number
	for _, v := range vals {
		if !slices.ContainsFunc(types[max(0, len(types)-8):], v.Type().Equals) {
			types = append(types, v.Type())
		}
	}
	if len(types) == 0 {
		return cty.DynamicPseudoType, nil
	}
	ty, _ := convert.Unify(types)
	if ty == cty.NilType {
		return cty.DynamicPseudoType, errors.New("the elements are of different types")
	}
	return ty, nil
}

// unified returns the elements of a value, brought to their common type.
func unified(v cty.Value) ([]cty.Value, cty.Type, error) {
	ty, err := commonType(v)
	if err != nil {
		return nil, ty, err
	}
	vals, err := elements(v)
	if err != nil {
		return nil, ty, err
	}
	for i, v := range vals {
		c, err := convert.Convert(v, ty)
		if err != nil {
			return nil, ty, fmt.Errorf("element %d: %w", i, err)
		}
		vals[i] = c
	}
	return vals, ty, nil
}

// asCollections lets a function that wants lists or sets take tuples, without cty's conversion.
func asCollections(f function.Function) function.Function {
	prepare := func(args []cty.Value) ([]cty.Value, error) {
		out := slices.Clone(args)
		for i, a := range out {
			if a.Type().IsTupleType() && a.IsKnown() {
				vals, ty, err := unified(a)
				if err != nil {
					return nil, function.NewArgError(i, err)
				}
				out[i] = listVal(vals, ty)
			}
		}
		return out, nil
	}
	p := anyParam("args")
	return function.New(&function.Spec{
		VarParam: &p,
		Type: func(args []cty.Value) (cty.Type, error) {
			args, err := converted(f, args, prepare)
			if err != nil {
				return cty.NilType, err
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			args, err := converted(f, args, prepare)
			if err != nil {
				return cty.NilVal, err
			}
			return f.Call(args)
		},
	})
}

// converted prepares arguments and converts them to f's parameters, as a call expression would.
func converted(f function.Function, args []cty.Value, prepare func([]cty.Value) ([]cty.Value, error)) ([]cty.Value, error) {
	args, err := prepare(args)
	if err != nil {
		return nil, err
	}
	params := f.Params()
	for i := range args {
		p := f.VarParam()
		if i < len(params) {
			p = &params[i]
		}
		if p == nil {
			return nil, fmt.Errorf("%d arguments are wanted", len(params))
		}
		if args[i], err = convert.Convert(args[i], p.Type); err != nil {
			return nil, function.NewArgError(i, err)
		}
	}
	if len(args) < len(params) {
		return nil, fmt.Errorf("%d arguments are wanted", len(params))
	}
	return args, nil
}
