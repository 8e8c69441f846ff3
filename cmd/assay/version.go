package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of the program and of its vectors' specification",
		Example: "  assay version",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version())
			return err
		},
	}
}

// version says which program this is, and of which specification its vectors are.
func version() string {
	own, spec := "(devel)", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		own = info.Main.Version
	}
	if m, err := vector.LoadManifest(golden.FS); err == nil {
		spec = m.Spec
	}
	return fmt.Sprintf("assay %s, SPEC.md %s, %s %s/%s", own, spec, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
