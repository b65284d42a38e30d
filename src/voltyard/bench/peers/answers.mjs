// What both Node peers answer: the least that a charger accepts.
let transactions = 0;

export const answer = (action) => {
  switch (action) {
    case "BootNotification":
      return { currentTime: new Date().toISOString(), interval: 300, status: "Accepted" };
    case "Heartbeat":
      return { currentTime: new Date().toISOString() };
    case "StartTransaction":
      return { transactionId: ++transactions, idTagInfo: { status: "Accepted" } };
    default:
      return {};
  }
};
