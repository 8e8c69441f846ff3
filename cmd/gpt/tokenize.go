package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/cmd/gpt/internal/checkpoint"
	"github.com/assaykit/assay/cmd/gpt/internal/training"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/corpus/tokenizer"
)

func tokenizeCommand() *cobra.Command {
	var name, from string
	var decode, count, asJSON bool
	cmd := &cobra.Command{
		Use:   "tokenize [FILE ...]",
		Short: "Turn text into tokens, or tokens into text",
		Long: `Turn the text of files, or of standard input, into tokens: their ids, separated by spaces. With --decode, turn
such ids into text; the ids that begin and end documents have none.

The vocabulary of the tokenizer char is that of a checkpoint, or else the characters of the text itself.`,
		Example: `  echo "Hello world" | gpt tokenize
  gpt tokenize --count book.txt
  echo 15496 995 | gpt tokenize --decode
  gpt tokenize --checkpoint gpt.safetensors book.txt`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if count && decode {
				return errors.New("--count and --decode do not go together")
			}
			inputs, err := readInputs(cmd.InOrStdin(), files)
			if err != nil {
				return err
			}
			tok, err := chooseTokenizer(name, from, decode, inputs)
			if err != nil {
				return err
			}
			if decode {
				return decodeInputs(cmd.OutOrStdout(), tok, inputs)
			}
			return encodeInputs(cmd.OutOrStdout(), tok, inputs, count, asJSON)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&name, "tokenizer", "r50k", "the tokenizer: r50k, that of GPT-2 and GPT-3, or char")
	f.StringVar(&from, "checkpoint", "", "use the tokenizer of this checkpoint")
	f.BoolVar(&decode, "decode", false, "read ids and write their text")
	f.BoolVar(&count, "count", false, "print the numbers of bytes and tokens in place of the ids")
	f.BoolVar(&asJSON, "json", false, "print the ids, or the numbers, as JSON")
	cmd.MarkFlagsMutuallyExclusive("tokenizer", "checkpoint")
	cmd.MarkFlagsMutuallyExclusive("decode", "json")
	return cmd
}

// input is a named text.
type input struct{ name, text string }

func readInputs(stdin io.Reader, files []string) ([]input, error) {
	if len(files) == 0 {
		text, err := corpus.Read(stdin, "standard input", training.MaxFile)
		return []input{{"standard input", string(text)}}, err
	}
	var inputs []input
	for _, file := range files {
		text, err := corpus.ReadFile(file, training.MaxFile)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, input{file, string(text)})
	}
	return inputs, nil
}

func chooseTokenizer(name, from string, decode bool, inputs []input) (tokenizer.Tokenizer, error) {
	if from != "" {
		c, err := checkpoint.Read(from)
		if err != nil {
			return nil, err
		}
		return c.Tokenizer, nil
	}
	if decode && name == tokenizer.CharName {
		return nil, errors.New("--decode with the tokenizer char needs --checkpoint: ids alone do not say which characters they are")
	}
	var texts []string
	for _, in := range inputs {
		texts = append(texts, in.text)
	}
	return training.Tokenizer(name, texts)
}

func encodeInputs(w io.Writer, tok tokenizer.Tokenizer, inputs []input, count, asJSON bool) error {
	type counts struct {
		File   string  `json:"file"`
		Bytes  int     `json:"bytes"`
		Tokens int     `json:"tokens"`
		IDs    []int64 `json:"ids,omitempty"`
	}
	var all []counts
	for _, in := range inputs {
		ids, err := tok.Encode(in.text)
		if err != nil {
			return fmt.Errorf("%s: %w", in.name, err)
		}
		c := counts{File: in.name, Bytes: len(in.text), Tokens: len(ids)}
		if !count {
			c.IDs = ids
		}
		all = append(all, c)
	}
	if asJSON {
		return writeJSON(w, all)
	}
	var out bytes.Buffer
	for _, c := range all {
		if count {
			fmt.Fprintf(&out, "%s: %d bytes, %d tokens of %s, %.2f bytes a token\n", c.File, c.Bytes, c.Tokens, tok.Name(), float64(c.Bytes)/float64(c.Tokens))
			continue
		}
		for i, id := range c.IDs {
			if i > 0 {
				out.WriteByte(' ')
			}
			out.WriteString(strconv.FormatInt(id, 10))
		}
		out.WriteByte('\n')
	}
	_, err := out.WriteTo(w)
	return err
}

func decodeInputs(w io.Writer, tok tokenizer.Tokenizer, inputs []input) error {
	for _, in := range inputs {
		var ids []int64
		for _, word := range strings.Fields(in.text) {
			id, err := strconv.ParseInt(word, 10, 64)
			if err != nil {
				return fmt.Errorf("%s: %q is no token id", in.name, word)
			}
			ids = append(ids, id)
		}
		text, err := tok.Decode(ids)
		if err != nil {
			return fmt.Errorf("%s: %w", in.name, err)
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}
