package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/assaykit/assay/conformance/vector"
)

// write replaces the vectors in dir by files. Each file appears whole or not at all, the manifest last, so that a directory whose
// writing was interrupted does not load. Vector files that are not among files are removed.
func write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, data := range files {
		if name != vector.ManifestName {
			if err := replace(filepath.Join(dir, name), data); err != nil {
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
	return replace(filepath.Join(dir, vector.ManifestName), files[vector.ManifestName])
}

// replace writes a file through a temporary one beside it.
func replace(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".tmp*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails, as it should, once the file has its name
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
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
