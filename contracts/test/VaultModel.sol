// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClientVault} from "../sources/vault/ClientVault.sol";
import {InitialPolicy, Limit, Side, Terms} from "../sources/vault/VaultTypes.sol";
import {CallingAsset, TollAsset} from "./OddAssets.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice What the vaults of three clients must do, kept a second time and more simply: who may be paid, from when, how
/// much, what was. The handler compares the vaults with it after every call.
abstract contract VaultModel is VaultWorld {
    struct Box {
        uint256 cap;
        uint256 spent;
        uint256 since;
    }

    uint256 internal constant SILENCE = 20 days;
    uint256 internal constant REMOVED = type(uint64).max;

    Client[] internal clients;
    address[] internal tokens;
    /// Listed of each client, destinations to be listed, addresses nobody lists, vaults, the custodian.
    address[] internal places;

    mapping(uint256 client => mapping(address to => uint256 from)) internal activeFrom;
    mapping(uint256 client => mapping(address token => Box)) internal caps;
    mapping(uint256 client => mapping(address token => Box)) internal unlistedCaps;
    mapping(uint256 client => mapping(address token => uint256)) internal feeSince;
    mapping(uint256 client => uint256) internal exitReadyAt;
    mapping(uint256 client => mapping(Side side => uint256)) internal pausedUntil;
    mapping(uint256 client => address) internal exitDestination;
    /// When what is in force was queued, or, of a cap, lowered: what was queued until then is void.
    mapping(uint256 client => mapping(bytes32 what => uint256)) internal newestSince;
    mapping(uint256 client => mapping(address token => uint256)) internal arrived;
    mapping(uint256 client => mapping(address token => uint256)) internal left;
    /// What the vault of a client paid to an address, without tolls.
    mapping(uint256 client => mapping(address to => mapping(address token => uint256))) public paid;
    mapping(address token => uint256) internal feesAllowed;
    mapping(address token => uint256) internal feesTaken;

    /// A vault did what the rule forbids, or refused what it allows.
    error Broken(string rule);

    function buildModel() internal {
        buildWorld();
        tokens.push(ETH);
        tokens.push(address(dollar));
        tokens.push(address(new TollAsset()));
        tokens.push(address(new CallingAsset()));
        string[3] memory names = ["ada", "bob", "pool"];
        for (uint256 i = 0; i < 3; ++i) {
            Client memory client = newClient(names[i], i == 2 ? OMNIBUS : INDIVIDUAL);
            factory.create(client.config);
            openPolicy(client);
            activeFrom[i][client.listed] = START;
            exitDestination[i] = client.config.exitDestination;
            for (uint256 t = 0; t < tokens.length; ++t) {
                caps[i][tokens[t]].cap = CAP;
                arrived[i][tokens[t]] = 100 ether;
                if (t == 0) vm.deal(address(client.vault), 100 ether);
                else TollAsset(tokens[t]).mint(address(client.vault), 100 ether);
                if (i == 2) unlistedCaps[i][tokens[t]].cap = UNLISTED_CAP;
            }
            clients.push(client);
            places.push(client.listed);
            places.push(actor(string.concat(names[i], " second destination")));
            places.push(address(client.vault));
        }
        places.push(stranger);
        places.push(operator);
    }

    function policyOf(address listed, uint256 kind) internal view override returns (InitialPolicy memory policy) {
        policy.destinations = new address[](1);
        policy.destinations[0] = listed;
        policy.limits = new Limit[](tokens.length);
        policy.unlisted = new Limit[](kind == OMNIBUS ? tokens.length : 0);
        for (uint256 t = 0; t < tokens.length; ++t) {
            policy.limits[t] = Limit(tokens[t], CAP);
            if (kind == OMNIBUS) policy.unlisted[t] = Limit(tokens[t], UNLISTED_CAP);
        }
    }

    function termsOf(uint256 kind) internal pure override returns (Terms) {
        return packTerms(kind, FEE_BPS, [WINDOW, CHANGE, RECOVERY, EXIT, EXIT_CHANGE, SILENCE, PAUSE]);
    }

    function balanceOf(address token, address holder) internal view returns (uint256) {
        return token == ETH ? holder.balance : TollAsset(token).balanceOf(holder);
    }

    function isVault(address account) internal view returns (bool) {
        for (uint256 i = 0; i < 3; ++i) {
            if (account == address(clients[i].vault)) return true;
        }
        return false;
    }

    function stopped(uint256 i) internal view returns (bool) {
        return exitReadyAt[i] != 0 || block.timestamp < pausedUntil[i][Side.Quorum]
            || block.timestamp < pausedUntil[i][Side.ClientKey];
    }

    /// @notice Whether the quorum alone may pay this now.
    function mayPay(uint256 i, address token, address to, uint256 amount) internal view returns (bool) {
        return amount <= balanceOf(token, address(clients[i].vault)) && allowed(i, token, to, amount);
    }

    /// @notice The same, whether the money is there or not.
    function allowed(uint256 i, address token, address to, uint256 amount) internal view returns (bool) {
        if (stopped(i) || amount == 0) return false;
        if (!fits(caps[i][token], amount)) return false;
        if (isActive(i, to)) return true;
        return i == 2 && activeFrom[i][to] != REMOVED && !isVault(to) && fits(unlistedCaps[i][token], amount);
    }

    function isActive(uint256 i, address to) internal view returns (bool) {
        return activeFrom[i][to] != 0 && activeFrom[i][to] <= block.timestamp;
    }

    function notePaid(uint256 i, address token, address to, uint256 amount) internal {
        count(caps[i][token], amount);
        if (!isActive(i, to)) count(unlistedCaps[i][token], amount);
        noteLeft(i, token, to, amount);
    }

    function noteLeft(uint256 i, address token, address to, uint256 amount) internal {
        left[i][token] += amount;
        paid[i][to][token] += token == tokens[2] ? amount - amount / 10 : amount;
        // A payment between vaults arrives.
        for (uint256 j = 0; j < 3; ++j) {
            if (to == address(clients[j].vault)) {
                arrived[j][token] += token == tokens[2] ? amount - amount / 10 : amount;
            }
        }
    }

    function fits(Box storage box, uint256 amount) private view returns (bool) {
        uint256 spent = block.timestamp >= box.since + WINDOW ? 0 : box.spent;
        return spent + amount <= box.cap;
    }

    function count(Box storage box, uint256 amount) private {
        if (block.timestamp >= box.since + WINDOW) {
            box.since = block.timestamp;
            box.spent = 0;
        }
        box.spent += amount;
        require(box.spent <= box.cap, Broken("I5: more than the cap left in one window"));
    }

    function check(bool holds, string memory rule) internal pure {
        require(holds, Broken(rule));
    }
}
