package bpe

import (
	"unicode"
	"unicode/utf8"
)

// class is what GPT-2's pattern tells apart.
type class uint8

const (
	other class = iota
	letter
	number
	space
)

// classOf returns the class of the character that text begins with, and its length.
func classOf(text []byte) (class, int) {
	r, size := rune(text[0]), 1
	if r >= utf8.RuneSelf {
		if r, size = utf8.DecodeRune(text); r == utf8.RuneError {
			return other, size
		}
	}
	switch {
	case unicode.IsLetter(r):
		return letter, size
	case unicode.IsSpace(r):
		return space, size
	case unicode.IsNumber(r):
		return number, size
	}
	return other, size
}

// Piece returns the length of the piece that text begins with, cut as GPT-2 does; there is some text. SPEC.md, TXT-12.
func Piece(text []byte) int {
	if n := contraction(text); n > 0 {
		return n
	}
	kind, n := classOf(text)
	if text[0] == ' ' && len(text) > 1 {
		if after, size := classOf(text[1:]); after != space {
			kind, n = after, 1+size
		}
	}
	last := n
	for n < len(text) {
		c, size := classOf(text[n:])
		if c != kind {
			if kind == space && n > last { // the last of several belongs to the piece that follows
				n -= last
			}
			break
		}
		n, last = n+size, size
	}
	return n
}

// contraction returns the length of one of 's 't 're 've 'm 'll 'd that text begins with, or 0.
func contraction(text []byte) int {
	if text[0] != '\'' || len(text) < 2 {
		return 0
	}
	switch text[1] {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(text) > 2 {
		switch string(text[1:3]) {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}
