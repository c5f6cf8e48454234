// A FIX client made with QuickFIX. It does what its standard input says and tells on its standard
// output everything that happens; whether that was right is for the test to judge.
//
//   initiator SETTINGS KEY_ID PEM_FILE
//
// Input:   D 11=a-1|55=BTC-USD|...   sends a message of this type with these body fields
//          start                     connects
//          logout                    logs out and ends
// Output:  < raw   received      > raw   sent, as on the wire with | for SOH
//          = raw   application message that QuickFIX found valid, in its place in the sequence
//          ! text  event of the session
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <quickfix/Application.h>
#include <quickfix/DataDictionary.h>
#include <quickfix/FileStore.h>
#include <quickfix/Log.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/SocketInitiator.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

const char SOH = '\001';

void tell(char kind, std::string text) {
  static std::mutex one_at_a_time;
  std::replace(text.begin(), text.end(), SOH, '|');
  std::replace(text.begin(), text.end(), '\n', ' ');
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  std::cout << kind << ' ' << text << std::endl;
}

class Transcript : public FIX::Log {
 public:
  void clear() override {}
  void backup() override {}
  void onIncoming(const std::string& text) override { tell('<', text); }
  void onOutgoing(const std::string& text) override { tell('>', text); }
  void onEvent(const std::string& text) override { tell('!', text); }
};

class TranscriptFactory : public FIX::LogFactory {
 public:
  FIX::Log* create() override { return new Transcript; }
  FIX::Log* create(const FIX::SessionID&) override { return new Transcript; }
  void destroy(FIX::Log* log) override { delete log; }
};

class PrivateKey {
 public:
  explicit PrivateKey(const char* pem_file) {
    const std::unique_ptr<BIO, int (*)(BIO*)> file(BIO_new_file(pem_file, "r"), BIO_free);
    if (file) key_ = PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, nullptr);
    if (key_ == nullptr) throw std::runtime_error("no private key");
  }
  ~PrivateKey() { EVP_PKEY_free(key_); }
  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;

  // The signature in base64.
  std::string sign(const std::string& text) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                     EVP_MD_CTX_free);
    unsigned char signature[64];
    size_t size = sizeof signature;
    if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_) != 1 ||
        EVP_DigestSign(context.get(), signature, &size,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1)
      throw std::runtime_error("cannot sign");
    std::vector<unsigned char> encoded(4 * ((size + 2) / 3) + 1);
    const int length = EVP_EncodeBlock(encoded.data(), signature, static_cast<int>(size));
    return std::string(encoded.begin(), encoded.begin() + length);
  }

 private:
  EVP_PKEY* key_ = nullptr;
};

class Client : public FIX::Application {
 public:
  Client(std::string key_id, const char* pem_file) : key_id_(std::move(key_id)), key_(pem_file) {}

  void onCreate(const FIX::SessionID&) override {}
  void onLogon(const FIX::SessionID&) override { tell('!', "logged on"); }
  void onLogout(const FIX::SessionID&) override { tell('!', "logged out"); }
  void toApp(FIX::Message&, const FIX::SessionID&) throw(FIX::DoNotSend) override {}
  void fromAdmin(const FIX::Message&, const FIX::SessionID&) throw(
      FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue,
      FIX::RejectLogon) override {}

  void toAdmin(FIX::Message& message, const FIX::SessionID&) override {
    const FIX::Header& header = message.getHeader();
    if (header.getField(FIX::FIELD::MsgType) != FIX::MsgType_Logon) return;
    if (!message.isSetField(FIX::FIELD::ResetSeqNumFlag))
      message.setField(FIX::FIELD::ResetSeqNumFlag, "N");
    std::string text = FIX::MsgType_Logon;
    for (const int tag : {FIX::FIELD::SenderCompID, FIX::FIELD::TargetCompID,
                          FIX::FIELD::MsgSeqNum, FIX::FIELD::SendingTime})
      text += SOH + header.getField(tag);
    const std::string signature = key_.sign(text);
    message.setField(FIX::FIELD::Username, key_id_);
    message.setField(FIX::FIELD::RawDataLength, std::to_string(signature.size()));
    message.setField(FIX::FIELD::RawData, signature);
  }

  void fromApp(const FIX::Message& message, const FIX::SessionID&) throw(
      FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue,
      FIX::UnsupportedMessageType) override {
    tell('=', message.toString());
  }

 private:
  const std::string key_id_;
  const PrivateKey key_;
};

FIX::Message parse(const std::string& line, const FIX::DataDictionary& dictionary) {
  const std::string::size_type space = line.find(' ');
  if (space == std::string::npos) throw std::runtime_error("not understood: " + line);
  std::string text = "8=FIX.4.4|9=0|35=" + line.substr(0, space) + '|' + line.substr(space + 1);
  text += "|10=000|";
  std::replace(text.begin(), text.end(), '|', SOH);
  // The dictionary says which fields are of a group; length and checksum are made when it is sent.
  return FIX::Message(text, dictionary, false);
}

void run(char** arguments) {
  const FIX::SessionSettings settings(arguments[1]);
  const FIX::SessionID session = *settings.getSessions().begin();
  const FIX::DataDictionary dictionary(settings.get(session).getString(FIX::DATA_DICTIONARY));
  Client client(arguments[2], arguments[3]);
  FIX::FileStoreFactory store(settings);
  TranscriptFactory transcript;
  FIX::SocketInitiator initiator(client, store, settings, transcript);
  std::string line;
  while (std::getline(std::cin, line) && line != "logout") {
    if (line == "start") {
      initiator.start();
      continue;
    }
    // Not connected, it is kept and numbered all the same: the venue asks for it later.
    FIX::Message message = parse(line, dictionary);
    FIX::Session::sendToTarget(message, session);
  }
  initiator.stop();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "initiator SETTINGS KEY_ID PEM_FILE\n";
    return 2;
  }
  try {
    run(arguments);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
