// A FIX executor made with QuickFIX: NewOrderSingle(D) in, ExecutionReport(8) out, remembered in
// QuickFIX's file store, which is not synced. The peer of the FIX benchmark; nothing is matched.
//
//   executor SETTINGS
//
// Prints its process id when it listens, ends with its standard input.
#include <unistd.h>

#include <quickfix/Application.h>
#include <quickfix/FileStore.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/SocketAcceptor.h>
#include <quickfix/fix44/ExecutionReport.h>
#include <quickfix/fix44/MessageCracker.h>
#include <quickfix/fix44/NewOrderSingle.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace {

class Executor : public FIX::Application, public FIX44::MessageCracker {
 public:
  void onCreate(const FIX::SessionID&) override {}
  void onLogon(const FIX::SessionID&) override {}
  void onLogout(const FIX::SessionID&) override {}
  void toAdmin(FIX::Message&, const FIX::SessionID&) override {}
  void toApp(FIX::Message&, const FIX::SessionID&) throw(FIX::DoNotSend) override {}
  void fromAdmin(const FIX::Message&, const FIX::SessionID&) throw(
      FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue,
      FIX::RejectLogon) override {}
  void fromApp(const FIX::Message& message, const FIX::SessionID& session) throw(
      FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue,
      FIX::UnsupportedMessageType) override {
    crack(message, session);
  }

  void onMessage(const FIX44::NewOrderSingle& order, const FIX::SessionID& session) override {
    FIX::ClOrdID client_order_id;
    FIX::Symbol symbol;
    FIX::Side side;
    FIX::OrdType type;
    FIX::OrderQty quantity;
    FIX::Price price;
    FIX::TimeInForce time_in_force;
    order.get(client_order_id);
    order.get(symbol);
    order.get(side);
    order.get(type);
    order.get(quantity);
    order.get(price);
    order.get(time_in_force);
    const std::string number = std::to_string(++count_);
    const FIX::OrderID order_id(number);
    const FIX::ExecID execution_id(number);
    FIX44::ExecutionReport report(order_id, execution_id, FIX::ExecType(FIX::ExecType_NEW),
                                  FIX::OrdStatus(FIX::OrdStatus_NEW), side,
                                  FIX::LeavesQty(quantity), FIX::CumQty(0), FIX::AvgPx(0));
    report.set(client_order_id);
    report.set(symbol);
    report.set(type);
    report.set(quantity);
    report.set(price);
    report.set(time_in_force);
    report.set(FIX::TransactTime(FIX::UtcTimeStamp(), 6));
    FIX::Session::sendToTarget(report, session);
  }

 private:
  unsigned long count_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "executor SETTINGS\n";
    return 2;
  }
  try {
    const FIX::SessionSettings settings(arguments[1]);
    Executor executor;
    FIX::FileStoreFactory store(settings);
    FIX::SocketAcceptor acceptor(executor, store, settings);
    acceptor.start();
    std::cout << getpid() << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
    }
    acceptor.stop(true);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
