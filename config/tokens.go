package config

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/stowage-run/stowage/diag"
)

// What the parser recurses into beside brackets, by the form of an expression, and what makes a deep tree
// although the parser loops: evaluation goes down that tree.
const (
	maxUnary    = 50  // !!!!x
	maxTernary  = 50  // a ? b : c ? d : ...
	maxOperands = 500 // a + b + c + ...
	maxPostfix  = 200 // a.b.c[0]...
	maxDigits   = 400 // of an exponent's value: 1e400 is refused
)

// checkTokens looks at the tokens that HCL's own lexer makes of src, which are exactly what its parser will
// see. The byte scan comes first, since a lexer keeps all tokens in memory.
func checkTokens(tokens hclsyntax.Tokens) *scanError {
	if len(tokens) > maxTokens {
		return &scanError{at: tokens[maxTokens].Range.Start.Byte, code: diag.CodeBudget,
			detail: "The file has more than " + strconv.Itoa(maxTokens) + " words and signs.",
			remedy: "split it, or make what repeats with for_each"}
	}
	c := tokenCheck{levels: []level{{lines: true}}}
	for i := range tokens {
		if err := c.token(tokens, i); err != nil {
			return err
		}
	}
	return nil
}

// level counts the parts of the expression at one depth of brackets.
type level struct {
	unary, ternary, operands, postfix int
	controls                          int  // template directives open in this string
	lines                             bool // a line's end ends an expression here: in a body or an object
}

type tokenCheck struct {
	levels   []level
	controls int // of all levels
}

func (c *tokenCheck) token(tokens hclsyntax.Tokens, i int) *scanError {
	t := tokens[i]
	l := &c.levels[len(c.levels)-1]
	switch t.Type {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
		hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		c.open(l, t, afterNewlines(tokens, i+1))
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
		hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		c.close()
	case hclsyntax.TokenNewline, hclsyntax.TokenComment:
		if l.lines {
			l.end()
		}
	case hclsyntax.TokenComma, hclsyntax.TokenEqual:
		l.end()
	case hclsyntax.TokenDot:
		l.postfix++
	case hclsyntax.TokenBang:
		l.unary++
	case hclsyntax.TokenMinus:
		l.unary++
		l.operands++
		l.postfix = 0
	case hclsyntax.TokenQuestion:
		l.ternary++
		l.postfix = 0
	case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit:
		l.unary = 0
		if err := c.word(t); err != nil {
			return err
		}
	case hclsyntax.TokenColon, hclsyntax.TokenFatArrow:
		l.postfix = 0
	case hclsyntax.TokenStringLit, hclsyntax.TokenQuotedLit, hclsyntax.TokenStar, hclsyntax.TokenEllipsis:
	default:
		l.operands++
		l.postfix = 0
	}
	return c.limits(t)
}

// end forgets the expression that has ended.
func (l *level) end() { l.unary, l.ternary, l.operands, l.postfix = 0, 0, 0, 0 }

func (c *tokenCheck) open(l *level, t, next hclsyntax.Token) {
	l.unary = 0
	inner := level{}
	switch t.Type {
	case hclsyntax.TokenOBrack:
		l.postfix++
	case hclsyntax.TokenOBrace:
		inner.lines = string(next.Bytes) != "for" // in a for expression lines do not count
	case hclsyntax.TokenTemplateControl:
		switch string(next.Bytes) {
		case "if", "for":
			l.controls++
			c.controls++
		case "endif", "endfor":
			if l.controls > 0 {
				l.controls--
				c.controls--
			}
		}
	}
	c.levels = append(c.levels, inner)
}

func (c *tokenCheck) close() {
	if len(c.levels) > 1 {
		c.controls -= c.levels[len(c.levels)-1].controls
		c.levels = c.levels[:len(c.levels)-1]
	}
	c.levels[len(c.levels)-1].unary = 0
}

// afterNewlines returns the first token from i on that is neither a line's end nor a comment.
func afterNewlines(tokens hclsyntax.Tokens, i int) hclsyntax.Token {
	for ; i < len(tokens); i++ {
		if t := tokens[i].Type; t != hclsyntax.TokenNewline && t != hclsyntax.TokenComment {
			return tokens[i]
		}
	}
	return hclsyntax.Token{}
}

func (c *tokenCheck) word(t hclsyntax.Token) *scanError {
	if n := len(t.Bytes); n > maxIdentifier {
		return &scanError{at: t.Range.Start.Byte, code: diag.CodeBudget,
			detail: "A name or number has " + strconv.Itoa(n) + " bytes; at most " + strconv.Itoa(maxIdentifier) + " are allowed."}
	}
	if t.Type == hclsyntax.TokenNumberLit && hugeExponent(string(t.Bytes)) {
		return &scanError{at: t.Range.Start.Byte, code: diag.CodeBudget,
			detail: "The number " + string(t.Bytes) + " has an exponent beyond " + strconv.Itoa(maxDigits) + "."}
	}
	return nil
}

// hugeExponent reports whether a number in text has an exponent beyond maxDigits.
func hugeExponent(s string) bool {
	i := strings.IndexAny(s, "eE")
	if i < 0 || strings.Trim(s[:i], "+-.0123456789") != "" || strings.Trim(s[i+1:], "+-0123456789") != "" {
		return false // no exponent, or no number
	}
	n, err := strconv.Atoi(s[i+1:])
	return err != nil || n > maxDigits || n < -maxDigits
}

func (c *tokenCheck) limits(t hclsyntax.Token) *scanError {
	l := c.levels[len(c.levels)-1]
	deep := func(detail string) *scanError {
		return &scanError{at: t.Range.Start.Byte, code: diag.CodeTooDeep, detail: detail, remedy: "give inner parts a name in locals"}
	}
	switch {
	case len(c.levels)-1+c.controls > maxDepth:
		return deep("Brackets, templates and strings are nested more than " + strconv.Itoa(maxDepth) + " levels deep here, more than can be parsed safely.")
	case l.unary > maxUnary:
		return deep("More than " + strconv.Itoa(maxUnary) + " signs ! or - follow each other.")
	case l.ternary > maxTernary:
		return deep("More than " + strconv.Itoa(maxTernary) + " conditions ? : follow each other in one expression.")
	case l.operands > maxOperands:
		return deep("One expression has more than " + strconv.Itoa(maxOperands) + " operators.")
	case l.postfix > maxPostfix:
		return deep("More than " + strconv.Itoa(maxPostfix) + " attributes and indexes follow each other.")
	}
	return nil
}

// lexed runs the byte scan and the token check over src, and returns the tokens.
func lexed(src []byte, file string, s syntax, start hcl.Pos) (hclsyntax.Tokens, *scanError) {
	if err := scan(src, s); err != nil {
		return nil, err
	}
	var tokens hclsyntax.Tokens
	if s == templateSyntax {
		tokens, _ = hclsyntax.LexTemplate(src, file, start)
	} else {
		tokens, _ = hclsyntax.LexConfig(src, file, start)
	}
	err := checkTokens(tokens)
	if err != nil {
		err.at -= start.Byte
	}
	return tokens, err
}
