package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// monitor speaks QMP: one JSON object a line, an answer to each command, and events between them, which are passed over.
type monitor struct {
	conn net.Conn
	in   *json.Decoder
}

const greetingPatience = 30 * time.Second

// connect reads the greeting and leaves the mode in which only capabilities can be negotiated.
func connect(conn net.Conn) (*monitor, error) {
	m := &monitor{conn: conn, in: json.NewDecoder(bufio.NewReader(conn))}
	conn.SetDeadline(time.Now().Add(greetingPatience))
	defer conn.SetDeadline(time.Time{})
	var greeting struct{ QMP any }
	if err := m.in.Decode(&greeting); err != nil {
		return nil, err
	}
	return m, m.execute(context.Background(), "qmp_capabilities", nil, nil)
}

// execute gives a command and reads what it returns.
func (m *monitor) execute(ctx context.Context, command string, arguments, result any) error {
	stop := context.AfterFunc(ctx, func() { m.conn.SetDeadline(time.Now()) })
	defer stop()
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	b, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := m.conn.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	for {
		var answer struct {
			Return json.RawMessage
			Error  *struct{ Class, Desc string }
		}
		switch err := m.in.Decode(&answer); {
		case err != nil:
			return fmt.Errorf("%s: %w", command, err)
		case answer.Error != nil:
			return fmt.Errorf("%s: %s", command, answer.Error.Desc)
		case answer.Return != nil && result != nil:
			return json.Unmarshal(answer.Return, result)
		case answer.Return != nil:
			return nil
		}
	}
}
