package seccomp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"syscallstory/syscalls"
)

// ReadProgram reads a program in any of its forms, recognised by what it looks like: a C array, the JSON of `story seccomp compile -o json`,
// assembly text, or else struct sock_filter as it lies in memory. The program is one that the kernel accepts.
func ReadProgram(file string, text []byte, abi syscalls.ABI) (p Program, err error) {
	trimmed := bytes.TrimSpace(text)
	switch {
	case len(text) > MaxText:
		return nil, &ParseError{file, Pos{1, 1}, fmt.Sprintf("it has %d bytes, at most %d are read", len(text), MaxText)}
	case !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 || len(trimmed) == 0:
		if p, err = ParseRaw(text); err == nil {
			err = p.Check()
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", file, err)
		}
		return p, err
	case trimmed[0] == '[':
		p, err = parseJSON(file, text)
	case trimmed[0] == '{' || bytes.Contains(text, []byte("sock_filter")) || bytes.Contains(text, []byte("BPF_")):
		p, err = ParseC(file, text, abi)
	default:
		return checkedText(file, text)
	}
	if err == nil {
		if err = p.Check(); err != nil {
			err = fmt.Errorf("%s: %w", file, err)
		}
	}
	return p, err
}

// checkedText reads assembly text; what the kernel would refuse is named by its line.
func checkedText(file string, text []byte) (Program, error) {
	p, at, err := assemble(file, text)
	if err != nil {
		return nil, err
	}
	if e, ok := p.Check().(*CheckError); ok {
		if e.At < 0 || e.At >= len(at) {
			return nil, fmt.Errorf("%s: %w", file, e)
		}
		return nil, &ParseError{file, at[e.At], e.Msg}
	}
	return p, nil
}

// parseJSON reads a list of instructions.
func parseJSON(file string, text []byte) (Program, error) {
	at := func(off int64) Pos {
		before := text[:min(max(off, 0), int64(len(text)))]
		return Pos{bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var list []struct {
		Code uint16 `json:"code"`
		JT   uint8  `json:"jt"`
		JF   uint8  `json:"jf"`
		K    uint32 `json:"k"`
	}
	if err := dec.Decode(&list); err != nil {
		return nil, &ParseError{file, at(dec.InputOffset()), fmt.Sprintf("it is not a list of instructions: %v", err)}
	}
	if dec.More() {
		return nil, &ParseError{file, at(dec.InputOffset()), "something follows the program"}
	}
	if len(list) > MaxInsns {
		return nil, &ParseError{file, Pos{1, 1}, fmt.Sprintf("%d instructions; 1 to %d are allowed", len(list), MaxInsns)}
	}
	p := make(Program, len(list))
	for i, x := range list {
		p[i] = Insn{x.Code, x.JT, x.JF, x.K}
	}
	return p, nil
}
