// Converts the CNI result on standard input to the version of its only argument, as libcni does between the plugins of a
// chain, and prints it. A result that has no version is one of 0.1.0.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/containernetworking/cni/pkg/types/create"
)

func convert() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: %s VERSION <RESULT", os.Args[0])
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	result, err := create.CreateFromBytes(text)
	if err != nil {
		return err
	}
	converted, err := result.GetAsVersion(os.Args[1])
	if err != nil {
		return err
	}
	return converted.PrintTo(os.Stdout)
}

func main() {
	if err := convert(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
