// Command peer makes, reads and writes messages as protoc-gen-go's types do, or dynamic ones of a set of descriptors.
//
// It answers each line on stdin with one on stdout. `fill NAME SEED` is answered with a message of that type as
// hexadecimal digits, the same for the same seed; `read NAME HEX` with what is read written again, or with `error: ` and why
// it cannot be read. Messages that are equal, bit by bit, are written as the same bytes.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// types are those that the program holds or, if it has an argument, those of the set in that file.
type types interface {
	FindMessageByName(protoreflect.FullName) (protoreflect.MessageType, error)
}

func main() {
	known := types(protoregistry.GlobalTypes)
	if len(os.Args) > 1 {
		known = dynamic(os.Args[1])
	}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		answer, err := answer(known, strings.Fields(line))
		if err != nil {
			answer = "error: " + err.Error()
		}
		fmt.Println(answer)
	}
}

// dynamic reads a FileDescriptorSet from a file.
func dynamic(path string) types {
	bytes, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(bytes, set); err != nil {
		log.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		log.Fatal(err)
	}
	return dynamicpb.NewTypes(files)
}

func answer(known types, words []string) (string, error) {
	if len(words) == 2 { // An empty message has no digits.
		words = append(words, "")
	}
	found, err := known.FindMessageByName(protoreflect.FullName(words[1]))
	if err != nil {
		return "", fmt.Errorf("%s: %w", words[1], err)
	}
	message := found.New()
	if words[0] == "fill" {
		seed, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			return "", err
		}
		newFiller(seed).fill(message, 0)
	} else {
		bytes, err := hex.DecodeString(words[2])
		if err != nil {
			return "", err
		}
		if err := proto.Unmarshal(bytes, message.Interface()); err != nil {
			return "", err
		}
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(message.Interface())
	return hex.EncodeToString(bytes), err
}
