package cache

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compressor is a gzip.Writer or a zstd.Encoder.
type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

// effort is how much work a body is worth.
type effort struct {
	coding string
	sealed bool
}

var compressors = map[effort]*sync.Pool{
	{"gzip", false}: {New: func() any { return gzipAt(gzip.BestSpeed) }},
	{"gzip", true}:  {New: func() any { return gzipAt(6) }},
	{"zstd", false}: {New: func() any { return zstdAt(zstd.SpeedFastest) }},
	{"zstd", true}:  {New: func() any { return zstdAt(zstd.SpeedBetterCompression) }},
}

func gzipAt(level int) compressor {
	z, err := gzip.NewWriterLevel(nil, level)
	if err != nil { // the levels are constants
		panic("cache: " + err.Error())
	}
	return z
}

// zstdAt makes an encoder with a window of 1 MiB, which keeps the client's memory small.
func zstdAt(level zstd.EncoderLevel) compressor {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderConcurrency(1))
	if err != nil { // the options are constants
		panic("cache: " + err.Error())
	}
	return z
}

// compress puts a body into a content coding: a sealed one with more work, a growing one fast.
func compress(body []byte, coding string, sealed bool) ([]byte, error) {
	pool := compressors[effort{coding, sealed}]
	if pool == nil {
		return nil, fmt.Errorf("there is no content coding %q", coding)
	}
	var packed bytes.Buffer
	packed.Grow(len(body) / 6)
	z := pool.Get().(compressor)
	defer pool.Put(z)
	defer z.Reset(nil)
	z.Reset(&packed)
	if _, err := z.Write(body); err != nil {
		return nil, fmt.Errorf("compressing a page: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compressing a page: %w", err)
	}
	return bytes.Clone(packed.Bytes()), nil
}
