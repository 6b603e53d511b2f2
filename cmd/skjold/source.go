package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/skjold-exchange/skjold/stix"
)

// source is one input of publish and check: a file, or standard input spooled to a temporary file, so that it can be
// read twice.
type source struct {
	name string
	file *os.File
	size int64
	temp bool
	head container // known when the source has been read to its end
}

// openSource opens a file, or "-" for standard input.
func openSource(name string, in io.Reader) (*source, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a directory; name files", name)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		if info.Mode().IsRegular() {
			return &source{name: name, file: f, size: info.Size()}, nil
		}
		defer f.Close() // a pipe or device is spooled like standard input
		in = f
	} else {
		name = "standard input"
	}
	f, err := os.CreateTemp("", "skjold-input-")
	if err != nil {
		return nil, err
	}
	s := &source{name: name, file: f, temp: true}
	if s.size, err = io.Copy(f, in); err != nil {
		s.Close()
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return s, nil
}

// Close closes the file and removes it if it was a spool.
func (s *source) Close() error {
	err := s.file.Close()
	if s.temp {
		err = errors.Join(err, os.Remove(s.file.Name()))
	}
	return err
}

// container is the head of what was read last.
type container struct {
	bundleID stix.Identifier
	report   stix.Report // of the bundle itself
}

// objects calls f for every object from the start of the source; index counts from 0. An element that is no object is
// handed over as err with the reading going on; a syntax error ends it and is returned. read sees the bytes consumed.
func (s *source) objects(l stix.Limits, read func(int), f func(index int, raw []byte, err *stix.ElementError) error) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := stix.NewReader(&countingReader{r: bufio.NewReaderSize(s.file, 256<<10), read: read}, l)
	for index := 0; ; index++ {
		raw, err := r.Next()
		var element *stix.ElementError
		switch {
		case err == io.EOF:
			s.head = container{r.BundleID(), r.BundleReport()}
			return nil
		case errors.As(err, &element):
			err = f(index, nil, element)
		case err != nil:
			return fmt.Errorf("%s: %w", s.name, err)
		default:
			err = f(index, raw, nil)
		}
		if err != nil {
			return err
		}
	}
}

type countingReader struct {
	r    io.Reader
	read func(int)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.read != nil {
		c.read(n)
	}
	return n, err
}
