package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/cmd/gpt/internal/checkpoint"
	"github.com/assaykit/assay/cmd/gpt/internal/generation"
	"github.com/assaykit/assay/cmd/gpt/internal/training"
)

func generateCommand() *cobra.Command {
	var from, prompt string
	var greedy, asJSON bool
	o := generation.Options{}
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Have a model continue a text",
		Long: `Have the model of a checkpoint continue a text, or begin one. Tokens are drawn at random unless --greedy or --beams says
otherwise; the same seed draws the same ones. It stops where the model ends the document, or after --max-new.

A model that comes to the end of what it can see goes on from the last half of it. Beam search does not: the prompt
and --max-new must fit.`,
		Example: `  gpt generate --checkpoint gpt.safetensors --prompt "The Rays of Light"
  gpt generate --checkpoint gpt.safetensors --temperature 0.7 --top-k 40 --top-p 0.9 --seed 7
  gpt generate --checkpoint gpt.safetensors --prompt "By Light" --beams 4 --form hf --length-penalty 1 --max-new 60`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := chooseStrategy(cmd, greedy, &o); err != nil {
				return err
			}
			return interruptible(cmd.Context(), "the text is not whole", func() error {
				c, err := checkpoint.Read(from)
				if err != nil {
					return err
				}
				cfg, err := training.ConfigOf(c)
				if err != nil {
					return fmt.Errorf("%s: %w", from, err)
				}
				d := c.Tokenizer.Delimiters()
				encoded, err := c.Tokenizer.Encode([]byte(prompt))
				if err != nil {
					return fmt.Errorf("--prompt: %w", err)
				}
				ids := slices.AppendSeq([]int64{d.Start}, encoded)
				o.End = d.End
				m := generation.Model{Attrs: cfg.Attrs.GPTAttrs, Weights: c.W, Context: cfg.Context}
				if asJSON {
					return generateJSON(cmd, &m, c, prompt, ids, o)
				}
				return stream(cmd.Context(), cmd.OutOrStdout(), &m, c, prompt, ids, o)
			})
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&from, "checkpoint", "gpt.safetensors", "the checkpoint of gpt train")
	f.StringVar(&prompt, "prompt", "", "the text to continue; none: begin a document")
	intFlag(f, &o.MaxNew, "max-new", 200, 1, maxTokens, "the most tokens to generate")
	f.BoolVar(&greedy, "greedy", false, "take the most likely token each time")
	floatFlag(f, &o.Temperature, "temperature", 1, 0, 1e6, "divides the logits: below 1 likely tokens become more likely, 0 is --greedy")
	intFlag(f, &o.TopK, "top-k", 0, 0, maxTokens, "draw from so many tokens, the most likely, 0 for all")
	floatFlag(f, &o.TopP, "top-p", 1, 1e-9, 1, "draw from the most likely tokens that have this probability together, 1 for all")
	f.Uint64Var(&o.Seed, "seed", 1, "the seed of the draws")
	intFlag(f, &o.Beams, "beams", 1, 1, 1<<10, "search for the most likely text with so many beams, 1 for no search")
	f.StringVar(&o.Form, "form", "textbook", "the beam search: textbook, or hf, that of Hugging Face")
	floatFlag(f, &o.LengthPenalty, "length-penalty", 0, -1000, 1000, "form hf: the exponent of the length that scores are divided by")
	f.StringVar(&o.Penalty, "penalty", "length", "form hf: length or gnmt")
	f.StringVar(&o.EarlyStopping, "early-stopping", "false", "form hf: true, false or never")
	f.BoolVar(&asJSON, "json", false, "print prompt, text and tokens as JSON")
	return cmd
}

// maxTokens bounds how many tokens may be asked for.
const maxTokens = 1 << 30

// The flags that only one strategy reads.
var (
	samplingFlags = []string{"temperature", "top-k", "top-p", "seed"}
	beamFlags     = []string{"form", "length-penalty", "penalty", "early-stopping"}
)

// chooseStrategy sets the strategy that the flags ask for. A flag that it does not read is an error: it would be a wish that nothing grants.
func chooseStrategy(cmd *cobra.Command, greedy bool, o *generation.Options) error {
	changed := func(names ...string) (given []string) {
		for _, name := range names {
			if cmd.Flags().Changed(name) {
				given = append(given, "--"+name)
			}
		}
		return given
	}
	var unread []string
	switch {
	case greedy:
		o.Strategy, unread = "greedy", changed(append(append([]string{"beams"}, samplingFlags...), beamFlags...)...)
	case len(changed("beams")) > 0 && o.Beams != 1:
		o.Strategy, unread = "beam", changed(samplingFlags...)
	default:
		o.Strategy, unread = "sample", changed(beamFlags...)
	}
	if len(unread) > 0 {
		return fmt.Errorf("%s: strategy %s does not use it", strings.Join(unread, ", "), o.Strategy)
	}
	return nil
}

// stream writes the prompt and, as they come, the tokens that continue it.
func stream(ctx context.Context, w io.Writer, m *generation.Model, c *checkpoint.Checkpoint, prompt string, ids []int64, o generation.Options) error {
	text := generation.Writer{W: w, Decode: c.Tokenizer.Decode}
	writePrompt := sync.OnceValue(func() error {
		_, err := io.WriteString(w, prompt)
		return err
	})
	wrote := false
	err := m.Generate(ctx, ids, o, func(tokens ...int64) error {
		wrote = true
		return errors.Join(writePrompt(), text.Emit(tokens...))
	})
	if err != nil && !wrote {
		return err
	}
	err = errors.Join(err, writePrompt(), text.Close())
	_, lineErr := fmt.Fprintln(w)
	return begun(errors.Join(err, lineErr))
}

func generateJSON(cmd *cobra.Command, m *generation.Model, c *checkpoint.Checkpoint, prompt string, ids []int64, o generation.Options) error {
	tokens := []int64{}
	err := m.Generate(cmd.Context(), ids, o, func(more ...int64) error {
		tokens = append(tokens, more...)
		return nil
	})
	if err != nil {
		return err
	}
	text, err := c.Tokenizer.Decode(tokens)
	if err != nil {
		return err
	}
	return writeJSON(cmd.OutOrStdout(), struct {
		Prompt   string  `json:"prompt"`
		Text     string  `json:"text"`
		Strategy string  `json:"strategy"`
		Tokens   []int64 `json:"tokens"`
	}{prompt, string(text), o.Strategy, tokens})
}
