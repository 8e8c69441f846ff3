package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"

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
			return interruptible(cmd.Context(), "what was written is not whole", func() error {
				documents, err := readDocuments(cmd.InOrStdin(), files)
				if err != nil {
					return err
				}
				tok, err := chooseTokenizer(name, from, cmd.Flags().Changed("checkpoint"), decode, documents)
				if err != nil {
					return err
				}
				if decode {
					return decodeDocuments(cmd.OutOrStdout(), tok, documents)
				}
				return encodeDocuments(cmd.OutOrStdout(), tok, documents, count, asJSON)
			})
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

// document is a named text.
type document struct {
	name string
	text []byte
}

func readDocuments(stdin io.Reader, files []string) ([]document, error) {
	asItIs := corpus.Rules{}
	if len(files) == 0 {
		text, _, err := corpus.Read(stdin, "standard input", training.MaxFile, asItIs)
		return []document{{"standard input", text}}, err
	}
	var documents []document
	for _, file := range files {
		text, _, err := corpus.ReadFile(file, training.MaxFile, asItIs)
		if err != nil {
			return nil, err
		}
		documents = append(documents, document{file, text})
	}
	return documents, nil
}

func chooseTokenizer(name, from string, stored, decode bool, documents []document) (tokenizer.Tokenizer, error) {
	if stored {
		c, err := checkpoint.Read(from)
		if err != nil {
			return nil, err
		}
		return c.Tokenizer, nil
	}
	if decode && name == tokenizer.CharName {
		return nil, errors.New("--decode with the tokenizer char needs --checkpoint: ids alone do not say which characters they are")
	}
	var texts [][]byte
	for _, d := range documents {
		texts = append(texts, d.text)
	}
	return training.Tokenizer(name, texts)
}

// counts are what --count prints.
type counts struct {
	File   string  `json:"file"`
	Bytes  int     `json:"bytes"`
	Tokens int     `json:"tokens"`
	IDs    []int64 `json:"ids,omitempty"`
}

// encodeDocuments writes the ids of documents, or their numbers, once it is known that all of them have ids.
func encodeDocuments(w io.Writer, tok tokenizer.Tokenizer, documents []document, count, asJSON bool) error {
	encoded := make([]iter.Seq[int64], len(documents))
	for i, d := range documents {
		var err error
		if encoded[i], err = tok.Encode(d.text); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	out := bufio.NewWriter(w)
	var all []counts
	for i, d := range documents {
		c := counts{File: d.name, Bytes: len(d.text)}
		for id := range encoded[i] {
			switch {
			case count:
			case asJSON:
				c.IDs = append(c.IDs, id)
			default:
				if c.Tokens > 0 {
					out.WriteByte(' ')
				}
				fmt.Fprint(out, id)
			}
			c.Tokens++
		}
		switch {
		case asJSON:
			all = append(all, c)
		case count:
			fmt.Fprintf(out, "%s: %d bytes, %d tokens of %s, %.2f bytes a token\n", c.File, c.Bytes, c.Tokens, tok.Name(), float64(c.Bytes)/float64(c.Tokens))
		default:
			out.WriteByte('\n')
		}
	}
	if asJSON {
		return begun(writeJSON(w, all))
	}
	return begun(out.Flush())
}

func decodeDocuments(w io.Writer, tok tokenizer.Tokenizer, documents []document) error {
	var texts [][]byte
	for _, d := range documents {
		var ids []int64
		for word := range bytes.FieldsSeq(d.text) {
			id, err := strconv.ParseInt(string(word), 10, 64)
			if err != nil {
				return fmt.Errorf("%s: %q is no token id", d.name, word)
			}
			ids = append(ids, id)
		}
		text, err := tok.Decode(ids)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		texts = append(texts, text)
	}
	_, err := w.Write(slices.Concat(texts...))
	return begun(err)
}
