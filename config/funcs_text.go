package config

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func stringFuncs() map[string]function.Function {
	return map[string]function.Function{
		"chomp": stdlib.ChompFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc, "indent": stdlib.IndentFunc,
		"join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc,
		"split": stdlib.SplitFunc, "strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc,
		"trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc, "trimspace": stdlib.TrimSpaceFunc,
		"upper":       stdlib.UpperFunc,
		"startswith":  predicate(strings.HasPrefix),
		"endswith":    predicate(strings.HasSuffix),
		"strcontains": predicate(strings.Contains),
		"replace":     simple(func(s []string) (string, error) { return replaceText(s[0], s[1], s[2]) }, "str", "substr", "replace"),
	}
}

// replaceText replaces a substring, or what a regular expression between slashes matches.
func replaceText(s, old, with string) (string, error) {
	if len(old) > 1 && old[0] == '/' && old[len(old)-1] == '/' {
		re, err := regexp.Compile(old[1 : len(old)-1])
		if err != nil {
			return "", err
		}
		return re.ReplaceAllString(s, with), nil
	}
	return strings.ReplaceAll(s, old, with), nil
}

func encodingFuncs() map[string]function.Function {
	return map[string]function.Function{
		"jsonencode": stdlib.JSONEncodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "csvdecode": stdlib.CSVDecodeFunc,
		"base64encode": simple(func(s []string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s[0])), nil }, "str"),
		"base64decode": simple(func(s []string) (string, error) {
			b, err := base64.StdEncoding.DecodeString(s[0])
			if err != nil {
				return "", errors.New("the argument is not base64")
			}
			return utf8Only(b)
		}, "str"),
		"urlencode": simple(func(s []string) (string, error) { return url.QueryEscape(s[0]), nil }, "str"),
		"urldecode": simple(func(s []string) (string, error) {
			out, err := url.QueryUnescape(s[0])
			if err != nil {
				return "", errors.New("the argument is not URL encoded")
			}
			return utf8Only([]byte(out))
		}, "str"),
		"md5":          digestFunc(md5.New, hex.EncodeToString),
		"sha1":         digestFunc(sha1.New, hex.EncodeToString),
		"sha256":       digestFunc(sha256.New, hex.EncodeToString),
		"sha512":       digestFunc(sha512.New, hex.EncodeToString),
		"base64sha256": digestFunc(sha256.New, base64.StdEncoding.EncodeToString),
		"base64sha512": digestFunc(sha512.New, base64.StdEncoding.EncodeToString),
		"uuidv5":       simple(func(s []string) (string, error) { return uuidv5(s[0], s[1]) }, "namespace", "name"),
		"uuid":         refused("a new UUID in each evaluation would make every plan different from the one before", `uuidv5("dns", "name")`),
		"bcrypt":       refused("a new salt in each evaluation would make every plan different from the one before", "make the hash once and keep it in a secret"),
		"yamlencode":   refused("YAML is not supported; JSON is valid YAML", "jsonencode(...)"),
		"yamldecode":   refused("YAML is not supported", "jsondecode(...)"),
	}
}

func utf8Only(b []byte) (string, error) {
	if !utf8.Valid(b) {
		return "", errors.New("the result is not UTF-8 text")
	}
	return string(b), nil
}

func digestFunc(make func() hash.Hash, encode func([]byte) string) function.Function {
	return simple(func(s []string) (string, error) { return digestOf(make, encode, []byte(s[0])), nil }, "str")
}

func digestOf(make func() hash.Hash, encode func([]byte) string, b []byte) string {
	h := make()
	h.Write(b)
	return encode(h.Sum(nil))
}

func uuidv5(space, name string) (string, error) {
	id, ok := map[string]uuid.UUID{"dns": uuid.NameSpaceDNS, "url": uuid.NameSpaceURL, "oid": uuid.NameSpaceOID, "x500": uuid.NameSpaceX500}[space]
	if !ok {
		var err error
		if id, err = uuid.Parse(space); err != nil {
			return "", errors.New("the namespace is dns, url, oid, x500 or a UUID")
		}
	}
	return uuid.NewSHA1(id, []byte(name)).String(), nil
}

func timeFuncs() map[string]function.Function {
	return map[string]function.Function{
		"formatdate":    stdlib.FormatDateFunc,
		"timeadd":       stdlib.TimeAddFunc,
		"timecmp":       timeCompare(),
		"timestamp":     refused("the present time would make every plan different from the one before", "give the time as a variable"),
		"plantimestamp": refused("the present time would make every plan different from the one before", "give the time as a variable"),
	}
}

func timeCompare() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "a", Type: cty.String}, {Name: "b", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			a, err := parseTime(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.Number), function.NewArgError(0, err)
			}
			b, err := parseTime(args[1].AsString())
			if err != nil {
				return cty.UnknownVal(cty.Number), function.NewArgError(1, err)
			}
			return cty.NumberIntVal(int64(a.Compare(b))), nil
		},
	})
}
