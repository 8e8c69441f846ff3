package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/internal/output"
)

// write replaces the vectors in dir by files. Each file appears whole or not at all, the manifest last, so that a directory whose
// writing was interrupted does not load. Vector files that are not among files are removed.
func write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, data := range files {
		if name != vector.ManifestName {
			if err := output.WriteFile(filepath.Join(dir, name), data); err != nil {
				return err
			}
		}
	}
	stale, err := unknown(dir, files)
	if err != nil {
		return err
	}
	for _, name := range stale {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return output.WriteFile(filepath.Join(dir, vector.ManifestName), files[vector.ManifestName])
}

// writeOps replaces the files of some ops in dir, and what its manifest says of them. It refuses a directory that would not load after that,
// or whose other files are of another generator, schema or specification.
func writeOps(dir string, s spec, files map[string][]byte) error {
	merged, err := merge(dir, s, files)
	if err != nil {
		return fmt.Errorf("%s cannot keep its other files: %w: run gengolden without -op", dir, err)
	}
	for _, name := range opFilesOf(files) {
		if err := output.WriteFile(filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	return output.WriteFile(filepath.Join(dir, vector.ManifestName), merged[vector.ManifestName])
}

// merge returns the vector files of dir with those of some ops in their places, and the manifest of all of them.
func merge(dir string, s spec, files map[string][]byte) (map[string][]byte, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	if m.Generator != version || m.Format != vector.FormatVersion {
		return nil, fmt.Errorf("%s is of %s, format %d; this is %s, format %d", vector.ManifestName, m.Generator, m.Format, version, vector.FormatVersion)
	}
	others, err := unknown(dir, files)
	if err != nil {
		return nil, err
	}
	merged := map[string][]byte{}
	for _, name := range append(others, vector.SchemaName) {
		if merged[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	if !bytes.Equal(merged[vector.SchemaName], schemaJSON) {
		return nil, fmt.Errorf("%s is not the generator's", vector.SchemaName)
	}
	for _, name := range opFilesOf(files) {
		merged[name], m.Files[name] = files[name], vector.Entry(files[name])
	}
	m.Spec, m.Clauses, m.Cases = s.version, s.clauses, 0
	for _, name := range opFilesOf(merged) {
		if strings.HasSuffix(name, ".json") {
			entries, err := entriesOf(name, merged[name])
			if err != nil {
				return nil, err
			}
			m.Cases += len(entries)
		}
	}
	if merged[vector.ManifestName], err = vector.EncodeManifest(*m); err != nil {
		return nil, err
	}
	_, err = load(merged)
	return merged, err
}

func readManifest(dir string) (*vector.Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, vector.ManifestName))
	if err != nil {
		return nil, err
	}
	m := new(vector.Manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s: %w", vector.ManifestName, err)
	}
	return m, nil
}

// unknown returns the vector files in dir that are not among files.
func unknown(dir string, files map[string][]byte) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: nothing is there to compare with", err)
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if _, ok := files[e.Name()]; !ok && (ext == ".json" || ext == ".safetensors") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
