// Reads a data dictionary with QuickFIX and checks messages against it, one per line of standard
// input, with `|` for the separator. Prints `ok` or what is wrong for each.
#include <quickfix/DataDictionary.h>
#include <quickfix/Message.h>

#include <algorithm>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    FIX::DataDictionary dictionary{std::string(argv[1])};
    for (std::string line; std::getline(std::cin, line);) {
      std::replace(line.begin(), line.end(), '|', '\001');
      try {
        FIX::Message message;
        message.setString(line, true, &dictionary, &dictionary);
        dictionary.validate(message);
        std::cout << "ok\n";
      } catch (const std::exception& error) {
        std::cout << error.what() << "\n";
      }
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
